import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Environment, type GatedServer, SepError } from "semantic-entropy-probes/files";
import type { AgentHandler } from "../server/routes.ts";
import { serveNotebook } from "../server/serve-notebook.ts";
import type { NotebookSession } from "../session/session-contract.ts";
import { storageFolderOf, writeStored } from "../storage-folder.ts";

/** How a notebook is served, as the command line says it. */
export interface ServingOptions {
  readonly host: string;
  /** 4802 by default, or a free one if that is taken. */
  readonly port?: number | undefined;
  readonly hasToken: boolean;
  readonly letsAnyoneIn: boolean;
  readonly opensBrowser: boolean;
}

const USUAL_PORT = 4802;

/**
 * Serves a notebook until Ctrl-C, says where, and opens a browser there.
 * @param isRunning whether its cells have been started already
 * @param agent answers at /mcp; null when that was not asked for
 */
export async function serveSession(
  session: NotebookSession,
  { mode, isRunning, agent }: { mode: "edit" | "app"; isRunning: boolean; agent: AgentHandler | null },
  { host, port: wantedPort, hasToken, letsAnyoneIn, opensBrowser }: ServingOptions,
  terminal: Terminal,
): Promise<void> {
  const { data, env, signal } = terminal;
  const open = (port: number): Promise<GatedServer> =>
    serveNotebook(session, { mode, host, port, hasToken, letsAnyoneIn, agent });
  await using server = await (wantedPort === undefined
    ? open(USUAL_PORT).catch((error: unknown) => retryAnywhere(error, open))
    : open(wantedPort));
  const { address, port, token } = server;
  const paint = terminal.createPaint(data, env);
  data.write(`${paint("bold", "Notebook")}  ${paint("cyan", address)}\n`);
  if (agent !== null) {
    const header = token === null ? "" : `, with the header Authorization: Bearer ${token}`;
    data.write(
      `${paint("bold", "Agents")}    http://127.0.0.1:${port}/mcp (MCP, streamable HTTP)${header}\n`,
    );
  }
  if (token === null) {
    data.write(
      `${paint("yellow", "No token:")} every program of every user on this machine can run code through this port. Web pages cannot: requests from other origins are refused.\n`,
    );
  }
  data.write(
    paint(
      "gray",
      `${isRunning ? "All cells run now." : "Nothing runs until you run it."} Press Ctrl-C to end.\n`,
    ),
  );
  await using _launch = opensBrowser ? await launchBrowser(server, session, terminal) : null;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function retryAnywhere(error: unknown, open: (port: number) => Promise<GatedServer>): Promise<GatedServer> {
  if (error instanceof SepError && error.code === "port-taken") return open(0);
  throw error;
}

/** Opens the browser, if there is a screen. If that fails, the printed address still works. */
async function launchBrowser(
  { address, port, token, entered }: GatedServer,
  { document }: NotebookSession,
  { openBrowser, stderr }: Terminal,
): Promise<AsyncDisposable | null> {
  if (openBrowser === null) return null;
  if (token === null) {
    openBrowser(address);
    return null;
  }
  // beside the notebook: browsers in a sandbox, such as snaps, see no /tmp and no hidden folder of the home
  const path = join(storageFolderOf(document.path), `open-${port}.html`);
  try {
    return await openSecretly(address, path, entered, openBrowser);
  } catch (error) {
    stderr.write(
      `No browser was opened, since ${path} cannot be written (${(error as Error).message}). Open the address above.\n`,
    );
    return null;
  }
}

/**
 * Opens an address that holds a token. Every user of the machine can read what arguments a program was started with,
 * so the browser gets the name of a file that only its owner can read, and which leads on.
 * @param path where that file goes; it is gone when the address was used, or at the end
 * @param used resolves when somebody came in with the address
 */
async function openSecretly(
  address: string,
  path: string,
  used: Promise<void>,
  openBrowser: (address: string) => void,
): Promise<AsyncDisposable> {
  const remove = (): Promise<void> => rm(path, { force: true });
  // a token has no characters that mean anything in HTML
  await writeStored(
    path,
    `<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0;url=${address}">\n<title>Opening the notebook</title>\n<a href="${address}">Open the notebook</a>\n`,
  );
  openBrowser(pathToFileURL(path).href);
  void used.then(remove).catch(() => undefined);
  return { [Symbol.asyncDispose]: remove };
}

/** A stream that takes text; `process.stdout` is one. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** Where a command writes and what it was started with: `sep` hands it over. */
export interface Terminal {
  /** Messages; no secret comes out of these two. */
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** stdout as it is, for data: what cells show, and the address that opens the notebook. */
  readonly data: OutputStream;
  readonly env: Environment;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Colours for a stream, where it takes them. */
  createPaint(
    stream: OutputStream,
    env: Environment,
  ): (style: "bold" | "cyan" | "gray" | "red" | "yellow", text: string) => string;
  /** 0:07, 2:05, 1:02:05 */
  formatDuration(durationMs: number): string;
  /** null if there is no screen. */
  readonly openBrowser: ((address: string) => void) | null;
}
