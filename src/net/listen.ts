import { createServer, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { SepError } from "../errors.ts";
import { admitRequest, allowedHosts, type GatePolicy, limitConnections, TIME_LIMITS } from "./gate.ts";

export interface ListenOptions {
  readonly host?: string | undefined;
  /** 0 takes a free one. */
  readonly port?: number | undefined;
}

/** How a server is reached, and who is let in. */
export interface GateOptions extends ListenOptions {
  /** What a client must bring; null lets in everybody who reaches the server and passes the other checks. */
  readonly token: string | null;
  /** The largest body that a request may have. */
  readonly maxBodyBytes: number;
  /** The name of the page in a browser. */
  readonly title: string;
  /** Other names under which the server is reached, with port; "any" where a proxy in front of it checks them. */
  readonly hosts?: readonly string[] | "any" | undefined;
  /** Paths that answer GET without the token, such as /health. */
  readonly openPaths?: readonly string[] | undefined;
  /** Origins of other sites whose pages may use the server. */
  readonly origins?: readonly string[] | undefined;
  /** PEM texts, for https. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** How a refusal reads; `{"error": text}` by default. */
  describeRefusal?(status: number, reason: string): object;
}

/** A running server. */
export interface GatedServer extends AsyncDisposable {
  readonly port: number;
  /** What to open in a browser, with the token if there is one. */
  readonly address: string;
  readonly token: string | null;
  /** Resolves when somebody has opened the address with its token. */
  readonly entered: Promise<void>;
  /** Takes no more connections, and resolves when those that are open have ended. */
  close(): Promise<void>;
}

/**
 * Listens, and hands on what the gate admits. The gate stands before anything that parses or routes.
 * @throws SepError `port-taken`; `bad-option` for a certificate that does not fit its key
 */
export async function listenBehindGate(
  answer: (request: Request, bindings: HttpBindings) => Response | Promise<Response>,
  options: GateOptions,
): Promise<GatedServer> {
  const { host = "127.0.0.1", port: wantedPort = 0, token, tls, hosts = [], origins = [] } = options;
  const scheme = tls === undefined ? "http" : "https";
  const { maxBodyBytes, openPaths = [] } = options;
  let policy: GatePolicy = { hosts: [], scheme, origins, maxBodyBytes, token, openPaths, cookieName: "" };
  let enter: () => void = () => undefined;
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const pass = getRequestListener((request, env) => answer(request, env as HttpBindings), {
    overrideGlobalObjects: false,
  });
  const describe = options.describeRefusal ?? ((_status, error) => ({ error }));
  const server = createHttpServer(tls, (request, response) => {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    const { method = "", url = "", headers } = request;
    const admission = admitRequest({ method, url, headers }, policy);
    if (admission.kind === "admitted" || admission.kind === "preflight") {
      if (admission.origin !== null)
        for (const [name, value] of corsHeaders(admission.origin)) response.setHeader(name, value);
      return void (admission.kind === "admitted" ? pass(request, response) : response.writeHead(204).end());
    }
    if (admission.kind === "entered") {
      enter();
      const cookie = `${admission.cookie}${scheme === "https" ? "; Secure" : ""}`;
      response.setHeader("set-cookie", cookie);
      return void response
        .writeHead(200, { "content-type": "text/html; charset=utf-8" })
        .end(entryPage(options.title));
    }
    // do not wait for the rest of a refused request
    response.writeHead(admission.status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(describe(admission.status, admission.reason)));
  });
  limitConnections(server);

  const port = await listen(server, host, wantedPort);
  const names = hosts === "any" ? null : [...allowedHosts(host, port), ...hosts];
  policy = { ...policy, hosts: names, cookieName: `sep_${port}` };
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  return {
    port,
    token,
    entered,
    address: `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}/${token === null ? "" : `?access_token=${encodeURIComponent(token)}`}`,
    close,
    async [Symbol.asyncDispose]() {
      const closed = close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function createHttpServer(
  tls: GateOptions["tls"],
  listener: NonNullable<Parameters<typeof createServer>[1]>,
): Server {
  if (tls === undefined) return createServer(TIME_LIMITS as ServerOptions, listener);
  try {
    return createTlsServer({ ...TIME_LIMITS, ...tls }, listener);
  } catch (error) {
    throw new SepError(
      "bad-option",
      `The TLS certificate and key cannot be used: ${(error as Error).message}. Give a certificate and its key as PEM files.`,
      { cause: error },
    );
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      reject(
        isTaken
          ? new SepError(
              "port-taken",
              `Port ${port} is in use. Choose another one with --port, or any free one with --port 0.`,
              { cause: error },
            )
          : error,
      );
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/**
 * Takes the token out of the address bar. A redirect would not do: browsers do not send a SameSite=Strict cookie when
 * the navigation started at another site, or at a file.
 */
const entryPage = (title: string): string =>
  `<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0;url=/">\n<title>${title}</title>\n<a href="/">Open the page</a>\n`;

/** What lets a page of another origin read the answer; how long it may remember, in seconds. */
const corsHeaders = (origin: string): readonly (readonly [string, string])[] => [
  ["access-control-allow-origin", origin],
  ["access-control-allow-methods", "GET, POST"],
  ["access-control-allow-headers", "authorization, content-type"],
  ["access-control-expose-headers", "x-sep-risk, x-sep-decision, x-sep-warnings, retry-after"],
  ["access-control-max-age", "600"],
  ["vary", "origin"],
  ["cross-origin-resource-policy", "cross-origin"],
];

const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  [
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify",
  ],
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
];
