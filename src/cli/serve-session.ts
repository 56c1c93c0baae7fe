import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { SepError } from "../errors.ts";
import type { AgentHandler, NotebookServer } from "../notebook/server/serve-notebook.ts";
import type { Session } from "../notebook/session/session-contract.ts";
import { flag, operand, restArguments, type SettingsOutput, setting } from "../study/settings/setting.ts";
import type { CliContext } from "./command.ts";
import { createPaint } from "./terminal.ts";

/** Of every command that serves a notebook. */
export const NOTEBOOK_SERVER = {
  notebook: operand("FILE", "Notebook: an Observable Notebook 2 HTML file."),
  port: setting(z.int().min(0).max(65535).optional(), "Port to listen on; 0 takes a free one.", {
    fallback: "4802, or a free one",
  }),
  host: setting(z.string().min(1).default("127.0.0.1"), "Address to listen on.", { placeholder: "ADDRESS" }),
  noToken: flag(
    "Let in everybody on this machine without a token; other web pages and other machines stay out; docs/notebook.md.",
  ),
  letAnyoneIn: flag("With --no-token and a --host that others reach: yes, they may all run code here."),
  noOpen: flag("Do not open a browser."),
  args: restArguments("What the notebook reads as `args`: `-- --k 20` gives `{ k: 20 }`."),
};

/** Where a notebook is served when nothing else is said. */
const USUAL_PORT = 4802;

/**
 * Serves a notebook until Ctrl-C, says where, and opens a browser there.
 * @param isRunning whether its cells have been started already
 * @param agent answers at /mcp; null when that was not asked for
 */
export async function serveSession(
  session: Session,
  mode: "edit" | "app",
  values: SettingsOutput<typeof NOTEBOOK_SERVER>,
  isRunning: boolean,
  agent: AgentHandler | null,
  context: CliContext,
): Promise<void> {
  const { serveNotebook } = await loadServer();
  const options = {
    mode,
    host: values.host,
    hasToken: !values.noToken,
    letsAnyoneIn: values.letAnyoneIn,
    agent,
  };
  const open = (port: number): Promise<NotebookServer> => serveNotebook(session, { ...options, port });
  await using server = await (values.port === undefined
    ? open(USUAL_PORT).catch((error: unknown) => retryAnywhere(error, open))
    : open(values.port));
  const { address, port, token } = server;
  const paint = createPaint(context.data, context.env);
  context.data.write(`${paint("bold", "Notebook")}  ${paint("cyan", address)}\n`);
  if (agent !== null) {
    const header = token === null ? "" : `, with the header Authorization: Bearer ${token}`;
    context.data.write(
      `${paint("bold", "Agents")}    http://127.0.0.1:${port}/mcp (MCP, streamable HTTP)${header}\n`,
    );
  }
  if (token === null) {
    context.data.write(
      `${paint("yellow", "No token:")} every program of every user on this machine can run code through this port. Web pages cannot: requests from other origins are refused.\n`,
    );
  }
  context.data.write(
    paint("gray", `${isRunning ? "All cells run now." : "Nothing runs until you run it."} Ctrl-C ends.\n`),
  );
  await using _launch = values.noOpen ? null : await launch(server, session, context);
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    context.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Opens the browser; where that does not work the address that was printed does. */
async function launch(
  { address, port, token, entered }: NotebookServer,
  { document }: Session,
  context: CliContext,
): Promise<AsyncDisposable | null> {
  if (token === null) {
    openBrowser(address, context);
    return null;
  }
  // beside the notebook: browsers in a sandbox, such as snaps, see no /tmp and no hidden folder of the home
  const { storageFolderOf } = await loadStorage();
  const path = join(storageFolderOf(document.path), `open-${port}.html`);
  try {
    return await openSecretly(address, path, entered, context);
  } catch (error) {
    context.stderr.write(
      `No browser was opened, since ${path} cannot be written (${(error as Error).message}). Open the address above.\n`,
    );
    return null;
  }
}

function retryAnywhere(
  error: unknown,
  open: (port: number) => Promise<NotebookServer>,
): Promise<NotebookServer> {
  if (error instanceof SepError && error.code === "port-taken") return open(0);
  throw error;
}

/** Opens an address in the machine's browser. Where there is none, nothing happens: the address is also printed. */
export function openBrowser(address: string, context: CliContext): void {
  if (!hasScreen(context)) return;
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", address]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", address]
        : ["xdg-open", address];
  const child = spawn(program as string, args, { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
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
  context: CliContext,
): Promise<AsyncDisposable | null> {
  if (!hasScreen(context)) return null;
  const { writeStored } = await loadStorage();
  const remove = (): Promise<void> => rm(path, { force: true });
  // a token has no characters that mean anything in HTML
  await writeStored(
    path,
    `<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0;url=${address}">\n<title>Opening the notebook</title>\n<a href="${address}">Open the notebook</a>\n`,
  );
  openBrowser(pathToFileURL(path).href, context);
  void used.then(remove).catch(() => undefined);
  return { [Symbol.asyncDispose]: remove };
}

/** Whether there is a screen to open a browser on. */
const hasScreen = ({ env }: CliContext): boolean =>
  process.platform !== "linux" || env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined;

/**
 * Parts of the notebook, loaded when a command needs them, so that the other commands start without them.
 * They stand here because the compiler leaves `.ts` in imports inside functions with `await using`.
 */
export const loadSession = (): Promise<typeof import("../notebook/session/session.ts")> =>
  import("../notebook/session/session.ts");

export const loadCreation = (): Promise<typeof import("../notebook/session/create-notebook.ts")> =>
  import("../notebook/session/create-notebook.ts");

export const loadAgents = (): Promise<typeof import("../notebook/mcp/agent-handler.ts")> =>
  import("../notebook/mcp/agent-handler.ts");

const loadServer = (): Promise<typeof import("../notebook/server/serve-notebook.ts")> =>
  import("../notebook/server/serve-notebook.ts");

const loadStorage = (): Promise<typeof import("../notebook/storage-folder.ts")> =>
  import("../notebook/storage-folder.ts");
