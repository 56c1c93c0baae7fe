import { join } from "node:path";
import { SepError } from "../errors.ts";
import type { AgentHandler, NotebookServer } from "../notebook/server/serve-notebook.ts";
import type { Session } from "../notebook/session/session-contract.ts";
import type { CliContext } from "./command.ts";
import { loadServer, loadStorage } from "./notebook-door.ts";
import type { SERVER_OPTIONS } from "./notebook-options.ts";
import { openBrowser, openSecretly } from "./open-browser.ts";
import type { OptionValues } from "./option-spec.ts";
import { createPaint } from "./paint.ts";

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
  values: OptionValues<typeof SERVER_OPTIONS>,
  isRunning: boolean,
  agent: AgentHandler | null,
  context: CliContext,
): Promise<void> {
  const { serveNotebook } = await loadServer();
  const options = {
    mode,
    host: values.host,
    hasToken: !values["no-token"],
    letsAnyoneIn: values["let-anyone-in"],
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
  await using _launch = values["no-open"] ? null : await launch(server, session, context);
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
