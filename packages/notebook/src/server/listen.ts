import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { SepError } from "semantic-entropy-probes/files";
import {
  admitRequest,
  allowedHosts,
  checkExposure,
  type GatePolicy,
  limitConnections,
  TIME_LIMITS,
} from "./gate.ts";

export interface ListenOptions {
  readonly host?: string | undefined;
  /** 0 takes a free one. */
  readonly port?: number | undefined;
  readonly hasToken?: boolean | undefined;
  readonly letsAnyoneIn?: boolean | undefined;
}

/** A running server. */
export interface GatedServer extends AsyncDisposable {
  readonly port: number;
  /** What to open in a browser, with the token if there is one. */
  readonly address: string;
  readonly token: string | null;
  /** Resolves when somebody has opened the address with its token. */
  readonly entered: Promise<void>;
}

/**
 * Listens, and hands on what the gate admits. The gate stands before anything that parses or routes.
 * @throws SepError `bad-option` for a server without a token on an address that others reach, `port-taken`
 */
export async function listenBehindGate(
  answer: (request: Request, bindings: HttpBindings) => Response | Promise<Response>,
  { host = "127.0.0.1", port: wantedPort = 0, hasToken = true, letsAnyoneIn = false }: ListenOptions,
): Promise<GatedServer> {
  checkExposure(host, hasToken, letsAnyoneIn);
  // 192 random bits: nobody guesses that
  const token = hasToken ? randomBytes(24).toString("base64url") : null;
  let policy: GatePolicy = { hosts: [], token, cookieName: "" };
  let enter: () => void = () => undefined;
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const pass = getRequestListener((request, env) => answer(request, env as HttpBindings), {
    overrideGlobalObjects: false,
  });
  const server = createServer(TIME_LIMITS, (request, response) => {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    const { method = "", url = "", headers } = request;
    const admission = admitRequest({ method, url, headers }, policy);
    if (admission.kind === "admitted") return void pass(request, response);
    if (admission.kind === "entered") {
      enter();
      response.setHeader("set-cookie", admission.cookie);
      return void response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(ENTRY_PAGE);
    }
    // do not wait for the rest of a refused request
    response.writeHead(admission.status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify({ error: admission.reason }));
  });
  limitConnections(server);

  const port = await listen(server, host, wantedPort);
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
const ENTRY_PAGE =
  '<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0;url=/">\n<title>Notebook</title>\n<a href="/">Open the notebook</a>\n';

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
