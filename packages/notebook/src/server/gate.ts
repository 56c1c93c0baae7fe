import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { SepError } from "semantic-entropy-probes/files";

/** The parts of a request that the gate checks. */
interface RequestFacts {
  readonly method: string;
  /** As the client sent it: path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Who is let in. */
export interface GatePolicy {
  /** Names with port under which the server is reached: "127.0.0.1:4802". */
  readonly hosts: readonly string[];
  /** null lets in everybody who reaches the server and passes the other checks. */
  readonly token: string | null;
  /** Contains the port: browsers share cookies between the ports of a host. */
  readonly cookieName: string;
}

/** Whether a request goes on to its route. */
export type Admission =
  | { readonly kind: "admitted" }
  /** The token in an address becomes a cookie; the answer leads to the address without it. */
  | { readonly kind: "entered"; readonly cookie: string }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

/** The largest body that a request may have; files that a reader uploads are the largest. */
export const MAX_BODY_BYTES: number = 16 * 1024 * 1024;

/**
 * The one check that every request passes before any route. Whoever gets through can run code on this machine, so web
 * pages, other programs' pages on other ports, and foreign names that resolve to this machine must all fail here, with
 * or without a token.
 */
export function admitRequest({ method, url, headers }: RequestFacts, policy: GatePolicy): Admission {
  const host = single(headers.host)?.toLowerCase();
  // DNS rebinding: a foreign name that points at this machine is not in the list
  if (host === undefined || !policy.hosts.includes(host))
    return refuse(421, "This server does not answer to that Host.");
  const origin = single(headers.origin);
  if (headers.origin !== undefined && origin !== `http://${host}`)
    return refuse(403, "Requests from other origins are refused.");
  const site = single(headers["sec-fetch-site"]);
  const isForeign = headers["sec-fetch-site"] !== undefined && site !== "same-origin" && site !== "none";
  const brings = bringsToken(method, url, policy.token);
  // a cross-site navigation with the token comes from the file that opened the browser
  if (isForeign && !(brings && single(headers["sec-fetch-dest"]) === "document"))
    return refuse(403, "Requests from other sites' pages are refused.");
  if (method !== "GET" && method !== "POST") return refuse(405, "Only GET and POST are answered.");
  if (method === "POST") {
    // a foreign page's form cannot send this type without a preflight, which is never granted
    const type = single(headers["content-type"])?.split(";")[0]?.trim().toLowerCase();
    if (type !== "application/json") return refuse(415, "POST needs Content-Type: application/json.");
    const length = single(headers["content-length"]);
    if (length !== undefined && !(Number(length) <= MAX_BODY_BYTES))
      return refuse(413, `The body is larger than ${MAX_BODY_BYTES} bytes.`);
  }
  if (policy.token === null) return ADMITTED;
  if (brings)
    return {
      kind: "entered",
      cookie: `${policy.cookieName}=${policy.token}; HttpOnly; SameSite=Strict; Path=/`,
    };
  const bearer = /^Bearer\s+(\S+)$/i.exec(single(headers.authorization) ?? "")?.[1];
  const cookie = readCookie(single(headers.cookie), policy.cookieName);
  if (isEqual(bearer, policy.token) || isEqual(cookie, policy.token)) return ADMITTED;
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

const ADMITTED: Admission = { kind: "admitted" };
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
 * Refuses a server that others on the network can reach without a token, unless that was asked for explicitly: they
 * could run code on this machine.
 * @throws SepError `bad-option`
 */
export function checkExposure(host: string, hasToken: boolean, allowsAnyone: boolean): void {
  if (hasToken || LOOPBACK.includes(host) || allowsAnyone) return;
  throw new SepError(
    "bad-option",
    `--no-token with --host ${host} would let everybody who reaches this machine run code on it. Leave out --no-token, or add --let-anyone-in if that is what you want.`,
  );
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
};
/** Far more than several browsers open at the same moment. */
const MAX_PENDING = 64;
/** Event streams, requests, and what is pending. */
const MAX_CONNECTIONS = 512;
