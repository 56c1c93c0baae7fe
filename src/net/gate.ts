import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { SepError } from "../errors.ts";

/** The parts of a request that the gate checks. */
interface RequestFacts {
  readonly method: string;
  /** As the client sent it: path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Who is let in. */
export interface GatePolicy {
  /** Names with port under which the server is reached: "127.0.0.1:4802". null admits any, behind a proxy that checks them. */
  readonly hosts: readonly string[] | null;
  readonly scheme: "http" | "https";
  /** Origins of other sites whose pages may use the server: "https://example.org". */
  readonly origins: readonly string[];
  readonly maxBodyBytes: number;
  /** null lets in everybody who reaches the server and passes the other checks. */
  readonly token: string | null;
  /** What anybody may get without the token: a health check has none. */
  readonly openPaths: readonly string[];
  /** Contains the port: browsers share cookies between the ports of a host. */
  readonly cookieName: string;
}

/** Whether a request goes on to its route. */
export type Admission =
  | { readonly kind: "admitted"; readonly origin: string | null }
  /** A browser asks whether a page of an allowed origin may send its request. */
  | { readonly kind: "preflight"; readonly origin: string }
  /** The token in an address becomes a cookie; the answer leads to the address without it. */
  | { readonly kind: "entered"; readonly cookie: string }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

/**
 * The one check that every request passes before any route. Whoever gets through can run code on this machine, so web
 * pages, other programs' pages on other ports, and foreign names that resolve to this machine must all fail here, with
 * or without a token.
 */
export function admitRequest({ method, url, headers }: RequestFacts, policy: GatePolicy): Admission {
  const host = single(headers.host)?.toLowerCase();
  // DNS rebinding: a foreign name that points at this machine is not in the list
  if (host === undefined || !(policy.hosts?.includes(host) ?? true))
    return refuse(421, "This server does not answer to that Host.");
  const origin = single(headers.origin);
  const isAllowed = origin !== undefined && policy.origins.includes(origin);
  if (headers.origin !== undefined && !isAllowed && origin !== `${policy.scheme}://${host}`)
    return refuse(403, "Requests from other origins are refused.");
  if (isAllowed && method === "OPTIONS") return { kind: "preflight", origin };
  const site = single(headers["sec-fetch-site"]);
  const isForeign = headers["sec-fetch-site"] !== undefined && site !== "same-origin" && site !== "none";
  const brings = bringsToken(method, url, policy.token);
  // a cross-site navigation with the token comes from the file that opened the browser
  if (isForeign && !isAllowed && !(brings && single(headers["sec-fetch-dest"]) === "document"))
    return refuse(403, "Requests from other sites' pages are refused.");
  if (method !== "GET" && method !== "POST") return refuse(405, "Only GET and POST are answered.");
  if (method === "POST") {
    // a foreign page's form cannot send this type without a preflight, which is never granted
    const type = single(headers["content-type"])?.split(";")[0]?.trim().toLowerCase();
    if (type !== "application/json") return refuse(415, "POST needs Content-Type: application/json.");
    const length = single(headers["content-length"]);
    if (length !== undefined && !(Number(length) <= policy.maxBodyBytes))
      return refuse(413, `The body is larger than ${policy.maxBodyBytes} bytes.`);
  }
  const admitted: Admission = { kind: "admitted", origin: isAllowed ? origin : null };
  if (policy.token === null || (method === "GET" && policy.openPaths.includes(url))) return admitted;
  if (brings)
    return {
      kind: "entered",
      cookie: `${policy.cookieName}=${policy.token}; HttpOnly; SameSite=Strict; Path=/`,
    };
  const bearer = /^Bearer\s+(\S+)$/i.exec(single(headers.authorization) ?? "")?.[1];
  const key = single(headers["x-api-key"]);
  const cookie = readCookie(single(headers.cookie), policy.cookieName);
  if (isEqual(bearer, policy.token) || isEqual(key, policy.token) || isEqual(cookie, policy.token))
    return admitted;
  return refuse(
    401,
    "A token is needed: open the address that `sep` printed, or send Authorization: Bearer.",
  );
}

/** Whether the address carries the token; only the page's own address may. */
function bringsToken(method: string, url: string, token: string | null): boolean {
  const [path = "", query = ""] = url.split("?", 2);
  const isPage = method === "GET" && path === "/";
  return token !== null && isPage && isEqual(new URLSearchParams(query).get("access_token"), token);
}

const refuse = (status: number, reason: string): Admission => ({ kind: "refused", status, reason });

/** A header that is sent more than once cannot be relied on. */
const single = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === "string" ? value : undefined;

/** Compares in constant time. */
function isEqual(given: string | null | undefined, expected: string): boolean {
  const a = Buffer.from(given ?? "");
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}

const readCookie = (header: string | undefined, name: string): string | undefined =>
  header
    ?.split(";")
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);

const LOOPBACK = ["127.0.0.1", "localhost", "::1"];

/**
 * The names under which a server on this address is reached, with its port.
 * @param host what the server binds to
 */
export function allowedHosts(host: string, port: number): string[] {
  const names = LOOPBACK.includes(host)
    ? LOOPBACK
    : EVERYWHERE.includes(host)
      ? [
          ...LOOPBACK,
          ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
        ]
      : [host];
  return names.map((name) => `${name.includes(":") ? `[${name}]` : name}:${port}`.toLowerCase());
}

/**
 * Refuses a server that others on the network can reach without a token, unless that was asked for explicitly.
 * @param danger what they could do, and the way out
 * @throws SepError `bad-option`
 */
export function checkExposure(host: string, { hasToken, letsAnyoneIn, danger }: ExposureFacts): void {
  if (hasToken || letsAnyoneIn || LOOPBACK.includes(host)) return;
  throw new SepError("bad-option", danger);
}

/** Who could reach a server, and do what. */
export interface ExposureFacts {
  readonly hasToken: boolean;
  readonly letsAnyoneIn: boolean;
  readonly danger: string;
}

const EVERYWHERE = ["0.0.0.0", "::"];

/**
 * Limits what silent clients can occupy. A connection is pending until it has sent the head of its first request; when
 * too many are pending, the oldest is closed. A real client is pending for milliseconds, so hundreds of half-open
 * connections do not keep it out.
 */
export function limitConnections(server: Server): void {
  server.maxConnections = MAX_CONNECTIONS;
  const pending = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    pending.add(socket);
    socket.once("close", () => pending.delete(socket));
    if (pending.size <= MAX_PENDING) return;
    const [oldest] = pending;
    pending.delete(oldest as Socket);
    oldest?.destroy();
  });
  server.prependListener("request", ({ socket }: IncomingMessage) => pending.delete(socket));
}

/** How long a client may take; given to the server when it is made. */
export const TIME_LIMITS: ServerOptions = {
  // the head of a request is one packet; a slow line takes a second or two
  headersTimeout: 10_000,
  // for a file of 16 MB over a slow line
  requestTimeout: 120_000,
  connectionsCheckingInterval: 2_000,
  // longer than the 60 seconds for which proxies keep a connection: a request must not meet one that is being closed
  keepAliveTimeout: 75_000,
};
/** Far more than several browsers open at the same moment. */
const MAX_PENDING = 64;
/** Event streams, requests, and what is pending. */
const MAX_CONNECTIONS = 512;
