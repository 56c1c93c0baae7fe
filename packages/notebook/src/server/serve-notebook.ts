import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SepError } from "semantic-entropy-probes/files";
import { ZodError } from "zod/v4";
import type { Session } from "../session/session-contract.ts";
import { streamEvents } from "./event-stream.ts";
import {
  admitRequest,
  allowedHosts,
  checkExposure,
  type GatePolicy,
  limitConnections,
  MAX_BODY_BYTES,
  TIME_LIMITS,
} from "./gate.ts";
import { type PageFile, readPageFiles } from "./page-files.ts";
import { ROUTES } from "./routes.ts";

/** Answers requests of an agent; made by the MCP room. */
export type AgentHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
) => Promise<void>;

export interface ServeOptions {
  readonly mode: "edit" | "app";
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port?: number;
  readonly hasToken?: boolean;
  readonly letsAnyoneIn?: boolean;
  /** What answers at /mcp; null turns it off. */
  readonly agent?: AgentHandler | null;
}

/** A running server. */
export interface NotebookServer extends AsyncDisposable {
  readonly port: number;
  /** What to open in a browser, with the token if there is one. */
  readonly address: string;
  readonly token: string | null;
  /** Resolves when somebody has come in with the address. */
  readonly entered: Promise<void>;
}

/**
 * Serves an open notebook to browsers and agents.
 * @throws SepError `bad-option` for a server without a token on an address that others reach, `port-taken`
 */
export async function serveNotebook(session: Session, options: ServeOptions): Promise<NotebookServer> {
  const { mode, host = "127.0.0.1", hasToken = true, letsAnyoneIn = false, agent = null } = options;
  checkExposure(host, hasToken, letsAnyoneIn);
  const files = await readPageFiles();
  // 192 random bits: nobody guesses that
  const token = hasToken ? randomBytes(24).toString("base64url") : null;
  let policy: GatePolicy = { hosts: [], token, cookieName: "" };
  let streams = 0;
  let enter: () => void = () => undefined;
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const server = createServer(TIME_LIMITS, (request, response) => {
    answer(request, response).catch((error: unknown) => sendError(response, error));
  });
  limitConnections(server);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    const { method = "", url = "" } = request;
    const admission = admitRequest({ method, url, headers: request.headers }, policy);
    if (admission.kind === "refused") {
      // what else such a client has to say is not waited for
      response.setHeader("connection", "close");
      return sendJson(response, admission.status, { error: admission.reason });
    }
    if (admission.kind === "entered") {
      enter();
      response.setHeader("set-cookie", admission.cookie);
      return sendFile(response, ENTRY_PAGE);
    }
    const [path = ""] = url.split("?", 1);
    if (path === "/mcp" && agent !== null) {
      if (method !== "POST") return sendJson(response, 405, { error: "The agent's route answers POST." });
      return agent(request, response, await readJson(request));
    }
    if (method === "GET") {
      if (path === "/events") {
        if (streams >= MAX_STREAMS) throw new HttpError(503, TOO_MANY_PAGES);
        streams += 1;
        response.on("close", () => {
          streams -= 1;
        });
        return streamEvents(session, mode, response);
      }
      const file = files.get(path);
      return file === undefined ? notFound(response) : sendFile(response, file);
    }
    const route = ROUTES.get(path);
    if (route === undefined || (mode === "app" && !route.isForReaders)) return notFound(response);
    sendJson(response, 200, (await route.run(await readJson(request), session)) ?? {});
  }

  const port = await listen(server, host, options.port ?? 0);
  policy = { hosts: allowedHosts(host, port), token, cookieName: `sep_${port}` };
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return {
    port,
    token,
    entered,
    address: `http://${name.includes(":") ? `[${name}]` : name}:${port}/${token === null ? "" : `?access_token=${token}`}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      reject(
        isTaken
          ? new SepError(
              "port-taken",
              `Port ${port} is in use. Take another one with --port, or --port 0 for any.`,
              { cause: error },
            )
          : error,
      );
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, `The body is larger than ${MAX_BODY_BYTES} bytes.`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch (error) {
    throw new HttpError(400, `The body is not JSON: ${(error as Error).message}`);
  }
}

/** An answer other than 200 that is nobody's defect. */
class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = describeFailure(error);
  sendJson(response, status, body);
}

function describeFailure(error: unknown): { readonly status: number; readonly body: Record<string, string> } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HttpError) return { status: error.status, body: { error: message } };
  if (error instanceof SepError)
    return { status: STATUS_OF[error.code] ?? 400, body: { error: message, code: error.code } };
  if (error instanceof ZodError) {
    const issues = error.issues.map(({ path, message: issue }) => `${path.join(".")}: ${issue}`);
    return { status: 400, body: { error: issues.join("; ") } };
  }
  return { status: 500, body: { error: message } };
}

/** A page holds one stream open; more than this is a mistake, or somebody who wants to use the memory up. */
const MAX_STREAMS = 32;
const TOO_MANY_PAGES = `${MAX_STREAMS} pages of this notebook are open. Close one, and load this one again.`;

const STATUS_OF: Partial<Record<SepError["code"], number>> = {
  "stale-revision": 409,
  "no-such-cell": 404,
  "kernel-died": 503,
};

const sendFile = (response: ServerResponse, { type, body }: PageFile): void => {
  response
    .writeHead(200, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store" })
    .end(body);
};

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response
    .writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
    .end(JSON.stringify(value));
}

const notFound = (response: ServerResponse): void =>
  sendJson(response, 404, { error: "There is nothing here." });

/**
 * Takes the token out of the address bar. A redirect would not do: browsers keep a SameSite=Strict cookie back where
 * the way began at another site, or at a file.
 */
const ENTRY_PAGE: PageFile = {
  type: "text/html",
  body: '<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0;url=/">\n<title>Notebook</title>\n<a href="/">Open the notebook</a>\n',
};

const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  [
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify",
  ],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
];
