import type { Agent } from "undici";
import { createRedactor, type Redactor, redactError } from "../text/redact.ts";
import { onAbort } from "./map-concurrently.ts";

/** The outcome of one request. */
export type RequestOutcome = Answered | Lost;

/** The server answered, whatever it said. */
export interface Answered {
  readonly kind: "answered";
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Removes the request's key from whatever is quoted of the answer. */
  readonly redactor: Redactor;
}

/** No whole answer came: no connection, one that broke, or none in time. */
interface Lost {
  readonly kind: "lost";
  readonly reason: string;
  readonly cause: unknown;
}

interface SendOnceOptions {
  readonly fetch: typeof fetch;
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Aborted when the server is known to be dead: the request is lost then. */
  readonly dead?: AbortSignal | undefined;
  /** Gets the body of an answer below 400 as it comes. */
  readonly receive?: ReceiveBody | undefined;
}

/**
 * Takes the next piece of a body.
 * @param redactor removes the request's key from whatever is quoted of it
 * @returns whether no more of it is wanted; the connection is closed then
 */
export type ReceiveBody = (piece: string, redactor: Redactor) => boolean;

/**
 * One request, read to its end or as far as it is wanted.
 * @throws the signal's reason when it is aborted, and what `receive` throws; nothing else
 */
export async function sendOnce(
  url: string,
  init: RequestInit,
  { fetch: send, limitMs, signal, dead, receive }: SendOnceOptions,
): Promise<RequestOutcome> {
  signal?.throwIfAborted();
  const redactor = createRedactor(keysOf(init));
  const stop = new AbortController();
  // not AbortSignal.any, whose signals are kept alive by the longest-lived of their sources
  const ends = [
    onAbort(signal, () => stop.abort(signal?.reason)),
    onAbort(dead, () => stop.abort(dead?.reason)),
  ];
  const timer = setTimeout(() => stop.abort(new Error(`no answer within ${limitMs / 1_000} s`)), limitMs);
  try {
    const response = await send(url, { ...init, signal: stop.signal });
    const isReceived = receive !== undefined && response.status < 400 && response.body !== null;
    const text = isReceived
      ? await receiveBody(response.body, (piece) => receive(piece, redactor))
      : await response.text();
    return { kind: "answered", status: response.status, headers: response.headers, text, redactor };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ReceiverFailure) throw error.cause;
    const cause = redactError(error, redactor.message); // an invalid header is quoted whole, key included
    return { kind: "lost", reason: describeLoss(stop.signal.aborted ? stop.signal.reason : cause), cause };
  } finally {
    clearTimeout(timer);
    for (const end of ends) end();
  }
}

/** @returns what has come of the body */
async function receiveBody(
  body: ReadableStream<Uint8Array>,
  receive: (piece: string) => boolean,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const take = (piece: string): boolean => {
    text += piece;
    return takePiece(receive, piece);
  };
  // leaving the loop closes the connection
  for await (const bytes of body) if (take(decoder.decode(bytes, { stream: true }))) return text;
  take(decoder.decode());
  return text;
}

function takePiece(receive: (piece: string) => boolean, piece: string): boolean {
  try {
    return receive(piece);
  } catch (cause) {
    throw new ReceiverFailure("the receiver of a body failed", { cause });
  }
}

/** Tells what the receiver throws from a lost connection. */
class ReceiverFailure extends Error {}

/**
 * The body as JSON.
 * @throws SyntaxError, which may quote the body, but not the key
 */
export function parseBody({ text, redactor }: Pick<Answered, "text" | "redactor">): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw redactError(error, redactor.message);
  }
}

/** The key of the authorization header, without its scheme. */
function keysOf({ headers }: RequestInit): readonly string[] {
  const { authorization } = (headers ?? {}) as Readonly<Record<string, string>>;
  return authorization === undefined ? [] : [authorization.replace(/^\S+\s+/, "")];
}

/** "ECONNREFUSED", "no answer within 300 s": what is known about a connection that failed. */
export function describeLoss(error: unknown): string {
  const { message, cause } = error as { readonly message?: string; readonly cause?: unknown };
  const { code, message: inner } = (cause ?? {}) as { readonly code?: string; readonly message?: string };
  return code ?? inner ?? message ?? String(error);
}

/** A `fetch` with its own connections. */
interface ServerFetch extends AsyncDisposable {
  readonly fetch: typeof fetch;
}

/**
 * A `fetch` without time limits of its own. Node's gives up when no header has come after 300 s, and an answer with
 * long reasoning takes longer. Connections are kept alive and reused.
 */
export function createServerFetch(): ServerFetch {
  // loaded with the first request: most commands send none
  let opened: Promise<{ readonly agent: Agent; readonly send: typeof import("undici").fetch }> | null = null;
  const open = async () => {
    const { Agent, fetch: send } = await import("undici");
    const agent = new Agent({
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: IDLE_MS,
      connectTimeout: CONNECT_LIMIT_MS,
    });
    return { agent, send };
  };
  const ownFetch = async (url: string, init: object) => {
    opened ??= open();
    const { agent, send } = await opened;
    return send(url, { ...init, dispatcher: agent });
  };
  return {
    // the types of undici and of Node's built-in copy are the same but for their names
    fetch: ownFetch as unknown as typeof fetch,
    async [Symbol.asyncDispose]() {
      await (await opened)?.agent.destroy();
    },
  };
}

/** Uvicorn closes connections after 5 s without a request; one that is about to be closed must not be reused. */
const IDLE_MS = 4_000;
const CONNECT_LIMIT_MS = 10_000;
