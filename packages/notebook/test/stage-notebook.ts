import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GatedServer } from "semantic-entropy-probes/files";
import type { ServeNotebookOptions } from "../src/server/serve-notebook.ts";
import type { NotebookSession, NotebookSessionOptions } from "../src/session/session-contract.ts";

const ROOT = new URL("../../../", import.meta.url);

// the kernel is a process of its own, which runs what is built
const built = (await import(
  new URL("packages/notebook/dist/index.js", ROOT).href
)) as typeof import("../src/index.ts");

/** A notebook in a folder of its own, in which this package is installed. */
export interface NotebookStage extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  open(options?: NotebookSessionOptions): Promise<NotebookSession>;
  serve(session: NotebookSession, options?: Partial<ServeNotebookOptions>): Promise<GatedServer>;
  /** Ends what was opened, as the end of the process would. */
  close(): Promise<void>;
}

/** One cell a source; those that begin with # are text. */
export function notebookText(sources: readonly string[], title = "Stage"): string {
  const cells = sources.map((source, at) => {
    const type = source.startsWith("#") ? "text/markdown" : "text/x-typescript";
    const body = source
      .split("\n")
      .map((line) => (line === "" ? "" : `    ${line}`))
      .join("\n");
    return `  <script id="${at + 1}" type="${type}" pinned>\n${body}\n  </script>\n`;
  });
  return `<!doctype html>\n<notebook theme="air">\n  <title>${title}</title>\n${cells.join("")}</notebook>\n`;
}

export async function stageNotebook(text: string): Promise<NotebookStage> {
  const folder = await mkdtemp(join(tmpdir(), "sep-notebook-"));
  const path = join(folder, "stage.html");
  await writeFile(path, text);
  await mkdir(join(folder, "node_modules"));
  await symlink(fileURLToPath(ROOT), join(folder, "node_modules", "semantic-entropy-probes"));
  const opened: AsyncDisposable[] = [];
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  };
  return {
    folder,
    path,
    close,
    async open(options = {}) {
      const session = await built.openSession(path, { watches: true, ...options });
      opened.push(session);
      return session;
    },
    async serve(session, options = {}) {
      const server = await built.serveNotebook(session, {
        mode: "edit",
        hasToken: false,
        agent: built.createAgentHandler(session),
        ...options,
      });
      opened.push(server);
      return server;
    },
    async [Symbol.asyncDispose]() {
      await close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
