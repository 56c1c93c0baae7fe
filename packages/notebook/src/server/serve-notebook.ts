import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { checkExposure, type GatedServer, listenBehindGate, SepError } from "semantic-entropy-probes/files";
import type { NotebookSession } from "../session/session-contract.ts";
import { type AgentHandler, createRoutes, MAX_BODY_BYTES, type PageFile } from "./routes.ts";

export interface ServeNotebookOptions {
  readonly host?: string | undefined;
  /** 0 takes a free one. */
  readonly port?: number | undefined;
  readonly hasToken?: boolean | undefined;
  readonly letsAnyoneIn?: boolean | undefined;
  readonly mode: "edit" | "app";
  /** What answers at /mcp; null turns it off. */
  readonly agent?: AgentHandler | null;
}

/**
 * Serves an open notebook to browsers and agents.
 * @throws SepError `missing-input` if the package was not built; `bad-option` for a notebook without a token on an address
 *   that others reach; and as `listenBehindGate`
 */
export async function serveNotebook(
  session: NotebookSession,
  {
    mode,
    agent = null,
    host = "127.0.0.1",
    port,
    hasToken = true,
    letsAnyoneIn = false,
  }: ServeNotebookOptions,
): Promise<GatedServer> {
  checkExposure(host, {
    hasToken,
    letsAnyoneIn,
    danger: `--no-token with --host ${host} would let everybody who reaches this machine run code on it. Leave out --no-token, or add --let-anyone-in if that is what you want.`,
  });
  const routes = createRoutes(session, mode, { agent, files: await readPageFiles() });
  // 192 random bits: nobody guesses that
  const token = hasToken ? randomBytes(24).toString("base64url") : null;
  return listenBehindGate(routes.fetch, {
    host,
    port,
    token,
    maxBodyBytes: MAX_BODY_BYTES,
    title: "Notebook",
  });
}

const ASSETS = { "/page.js": "text/javascript", "/page.css": "text/css" } as const;

/** The files of the page, by path. The list is fixed: no request's path is ever looked up on disk. */
async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = new Map<string, PageFile>([["/", { type: "text/html", body: PAGE }]]);
  for (const [path, type] of Object.entries(ASSETS)) {
    try {
      files.set(path, { type, body: await readFile(new URL(`../page${path}`, import.meta.url), "utf8") });
    } catch (error) {
      throw new SepError(
        "missing-input",
        `The page's ${path} is not built. Run \`npm run build\` in the package.`,
        { cause: error },
      );
    }
  }
  return files;
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Notebook</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='3' fill='%230067a3'/%3E%3Ccircle cx='8' cy='8' r='6.5' fill='none' stroke='%23c04f00' stroke-width='1.5' stroke-dasharray='3 2'/%3E%3C/svg%3E">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<div id="app"><p class="loading">Opening the notebook…</p></div>
<script type="module" src="/page.js"></script>
</body>
</html>
`;
