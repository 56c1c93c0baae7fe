import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { SepError } from "semantic-entropy-probes/files";

/** What the gate looks at of a request. */
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
  /** Has the port in it: browsers share cookies between the ports of a host. */
  readonly cookieName: string;
}

/** Whether a request goes on to its route. */
export type Admission =
  | { readonly kind: "admitted" }
  /** The token in an address becomes a cookie; the answer leads to the address without it. */
  | { readonly kind: "entered"; readonly cookie: string }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

/** A request's body may not be larger; files that a reader hands over are the largest. */
export const MAX_BODY_BYTES: number = 16 * 1024 * 1024;

/**
 * The one check that every request passes before any route is looked at. Whoever gets through can run code on this
 * machine, so that a web page, another program's page on another port, and names that resolve to this machine
 * without being it must all fail here. It holds without a token too.
 */
export function admitRequest({ method, url, headers }: RequestFacts, policy: GatePolicy): Admission {
  const host = single(headers.host)?.toLowerCase();
  // a name that somebody else's DNS points at this machine is not in the list
  if (host === undefined || !policy.hosts.includes(host))
    return refuse(421, "This server does not answer to that Host.");
  const origin = single(headers.origin);
  if (headers.origin !== undefined && origin !== `http://${host}`)
    return refuse(403, "Requests from other origins are refused.");
  const site = single(headers["sec-fetch-site"]);
  const isForeign = headers["sec-fetch-site"] !== undefined && site !== "same-origin" && site !== "none";
  const brings = bringsToken(method, url, policy.token);
  // a window that comes from elsewhere with the token comes from the file that opened the browser
  if (isForeign && !(brings && single(headers["sec-fetch-dest"]) === "document"))
    return refuse(403, "Requests that another page makes are refused.");
  if (method !== "GET" && method !== "POST") return refuse(405, "Only GET and POST are answered.");
  if (method === "POST") {
    // a form of a foreign page cannot send this type without asking first, and is never allowed to
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

/** Whether an address has the token in it; only the page's own may. */
function bringsToken(method: string, url: string, token: string | null): boolean {
  const [path = "", query = ""] = url.split("?", 2);
  const isPage = method === "GET" && path === "/";
  return token !== null && isPage && isEqual(new URLSearchParams(query).get("access_token"), token);
}

const ADMITTED: Admission = { kind: "admitted" };
const refuse = (status: number, reason: string): Admission => ({ kind: "refused", status, reason });

/** A header that is there more than once is no header to rely on. */
const single = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === "string" ? value : undefined;

/** Compares in a time that does not tell how much was right. */
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
 * A server without a token that others on the network can reach hands them this machine: that needs to be said
 * in so many words.
 * @throws SepError `bad-option`
 */
export function checkExposure(host: string, hasToken: boolean, allowsAnyone: boolean): void {
  if (hasToken || LOOPBACK.includes(host) || allowsAnyone) return;
  throw new SepError(
    "bad-option",
    `--no-token with --host ${host} would let everybody who reaches this machine run code on it. Leave --no-token out, or, if that is what you want, add --let-anyone-in.`,
  );
}

const EVERYWHERE = ["0.0.0.0", "::"];

/**
 * Bounds what a client can hold before, or without, saying anything. A connection that has not yet sent the head of its
 * first request is pending; when there are too many, the one that has been so for the longest is closed. A real client
 * is pending for milliseconds, so hundreds of half-open connections do not keep it out.
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
/** Many browsers at once open far fewer in the same moment. */
const MAX_PENDING = 64;
/** Event streams, requests, and what is pending. */
const MAX_CONNECTIONS = 512;
