import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "undici";
import { buildPocketSite } from "../../src/serve/page-site.ts";
import { type EngineStage, LISTEN, servePage, talkToWorker } from "./page-stage.ts";

/** Debian's package, or what the environment names; CI installs it. */
export const FIREFOX: string = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

/**
 * The embedded model's page in Firefox, driven by WebDriver BiDi. Playwright asks for commands that Debian's release of
 * Firefox does not have yet.
 */
export async function stageFirefox(): Promise<EngineStage> {
  const server = await servePage(await buildPocketSite());
  const profile = await mkdtemp(join(tmpdir(), "sep-firefox-"));
  const browser = spawn(
    FIREFOX,
    ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const bidi = await connect(browser);
  await bidi.send("session.new", { capabilities: {} });
  const { contexts } = (await bidi.send("browsingContext.getTree", {})) as {
    contexts: { context: string }[];
  };
  const context = contexts[0]?.context;
  const complaints: string[] = [];
  bidi.listen((method, { level, text, request }) => {
    if (method === "log.entryAdded" && level === "error") complaints.push(String(text));
    const url = request?.url;
    if (url?.startsWith("http") && !url.startsWith(server.address)) complaints.push(`requested ${url}`);
  });
  await bidi.send("session.subscribe", { events: ["log.entryAdded", "network.beforeRequestSent"] });
  await bidi.send("script.addPreloadScript", { functionDeclaration: `() => ${LISTEN}` });
  const evaluate = async (expression: string): Promise<unknown> => {
    const given = await bidi.send("script.evaluate", {
      // values come back as text: the protocol has a notation of its own for them
      expression: `JSON.stringify((${expression})) ?? "null"`,
      target: { context },
      awaitPromise: false,
    });
    const { result, exceptionDetails } = given as EvaluateResult;
    if (result?.value === undefined) throw new Error(`Firefox: ${exceptionDetails?.text}`);
    return JSON.parse(result.value);
  };
  return {
    takeComplaints: () => complaints.splice(0),
    async open(fragment = "") {
      await bidi.send("browsingContext.navigate", {
        context,
        url: `${server.address}#${fragment}`,
        wait: "complete",
      });
    },
    ...talkToWorker(evaluate),
    async [Symbol.asyncDispose]() {
      bidi.close();
      const ended = once(browser, "exit");
      browser.kill();
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
      await server[Symbol.asyncDispose]();
    },
  };
}

interface EvaluateResult {
  readonly result?: { readonly value?: string };
  readonly exceptionDetails?: { readonly text: string };
}

interface BidiEvent {
  readonly level?: string;
  readonly text?: string;
  readonly request?: { readonly url: string };
}

/** A connection to the browser, whose address is in the first line that says so. */
async function connect(browser: ChildProcess) {
  const address = await new Promise<string>((resolve, reject) => {
    createInterface(browser.stderr as NodeJS.ReadableStream).on("line", (line) => {
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    browser.once("exit", (code) =>
      reject(new Error(`Firefox ended with status ${code} before it was ready.`)),
    );
  });
  const socket = new WebSocket(`${address}/session`);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(reason: Error): void }>();
  const listeners: ((method: string, event: BidiEvent) => void)[] = [];
  let sent = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, method, params, result, error, message } = JSON.parse(String(data));
    if (method !== undefined) for (const listen of listeners) listen(method, params);
    else if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(`Firefox: ${error}: ${message}`));
  });
  return {
    send: (method: string, params: object): Promise<unknown> =>
      new Promise((resolve, reject) => {
        waiting.set(++sent, { resolve, reject });
        socket.send(JSON.stringify({ id: sent, method, params }));
      }),
    listen: (listener: (method: string, event: BidiEvent) => void): void => void listeners.push(listener),
    close: (): void => socket.close(),
  };
}
