import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { runCli } from "../src/cli/run-cli.ts";
import { scoreQuestion } from "../src/serve/score-question.ts";
import { loadProbe } from "../src/study/probe-files.ts";
import { createFakeCli } from "./fakes/cli-context.ts";

/** The command as it is installed; the tests' set-up has built it. */
const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const PROBE = fileURLToPath(new URL("../models/pocket/probes/accuracy_probe.json", import.meta.url));
const QUESTION = "What is 384 * 27?";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-serve-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [SEP, "serve", "--port", "0", ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function whenEnded(child: ChildProcess): Serving["ended"] {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk;
    });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}

async function serve(args: readonly string[], env?: Record<string, string>): Promise<Serving> {
  const child = start(["--quiet", ...args], env);
  const ended = whenEnded(child);
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (line: Buffer) => resolve(String(line).trim()));
    void ended.then(({ output }) => reject(new Error(output)));
  });
  return {
    child,
    ended,
    url: new URL(address).origin,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const ask = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ messages: [{ role: "user", content: QUESTION }], temperature: 0, ...body }),
  });

describe("sep serve", () => {
  it("serves the embedded model in an empty folder, with the risk that sep score gives", async () => {
    await using server = await serve([]);
    const answer = (await (await ask(server.url, {})).json()) as {
      readonly choices: readonly [
        { readonly message: { readonly content: string }; readonly sep: { readonly risk: number } },
      ];
    };
    await using model = await loadModel("pocket", { threads: 1 });
    const scored = await scoreQuestion(model, await loadProbe(PROBE), QUESTION);
    const [{ message, sep }] = answer.choices;
    expect(message.content).toBe(scored.output_text);
    expect(Math.abs(sep.risk - (scored.risk as number))).toBeLessThan(1e-6);
  });

  it("finishes what it has begun when it is told to end, and takes no more", { tags: ["long"] }, async () => {
    await using server = await serve([]);
    const response = await ask(server.url, { stream: true, n: 8, temperature: 1 });
    server.child.kill("SIGTERM");
    expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/);
    expect((await server.ended).code).toBe(0);
    await expect(ask(server.url, {})).rejects.toThrow();
  });

  it("asks for its key, and prints it nowhere but in the address", async () => {
    const key = `secret-${"k".repeat(30)}`;
    await using server = await serve([], { SEP_API_KEY: key });
    expect((await ask(server.url, {})).status).toBe(401);
    expect((await ask(server.url, {}, { authorization: `Bearer ${key}` })).status).toBe(200);
  });

  it.each<[string, readonly string[], RegExp]>([
    ["an address that others reach, without a key", ["--host", "0.0.0.0"], /SEP_API_KEY/],
    ["a certificate without its key", ["--tls-cert", "a.pem"], /--tls-key/],
    ["a policy without its server", ["--policy", "escalate"], /--escalate/],
    ["a probe that is not there", ["--probe", "nowhere.json"], /nowhere\.json/],
    ["two probes of a name", ["--probe", `${PROBE},${PROBE}`], /Two probes are called accuracy_probe/],
    ["a probe of another model", ["--probe", "other.json"], /fitted on|weights/],
  ])("refuses %s", async (_what, args, message) => {
    const other = (await readFile(PROBE, "utf8")).replace(
      /"weights_sha256": "[0-9a-f]+"/,
      `"weights_sha256": "${"0".repeat(64)}"`,
    );
    await writeFile(join(root, "other.json"), other);
    await copyFile(PROBE.replace(/json$/, "safetensors"), join(root, "accuracy_probe.safetensors"));
    const own = args.map((word) => (/^(other|nowhere)\.json$/.test(word) ? join(root, word) : word));
    const cli = createFakeCli();
    expect(await runCli(["serve", "--port", "0", ...own], cli.context)).toBeGreaterThan(0);
    expect(cli.stderr()).toMatch(message);
    expect(cli.stdout()).toBe("");
  });
});
