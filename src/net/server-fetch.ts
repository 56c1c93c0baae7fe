import { Agent, fetch as send } from "undici";

/** A `fetch` whose connections are its own. */
export interface ServerFetch extends AsyncDisposable {
  readonly fetch: typeof fetch;
}

/**
 * A `fetch` for servers that think long. Node's own gives up when no header has come after 300 s, and an answer
 * with much reasoning takes longer; here the caller's own limit is the only one. Connections are kept and used again.
 */
export function createServerFetch(): ServerFetch {
  const agent = new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_MS,
    connectTimeout: CONNECT_LIMIT_MS,
  });
  const ownFetch = (url: string, init: object) => send(url, { ...init, dispatcher: agent });
  return {
    // undici's types and those of Node's built-in copy of it name the same things
    fetch: ownFetch as unknown as typeof fetch,
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

/** Uvicorn closes a connection that was idle for 5 s; one that is about to be closed must not be used again. */
const IDLE_MS = 4_000;
const CONNECT_LIMIT_MS = 10_000;
