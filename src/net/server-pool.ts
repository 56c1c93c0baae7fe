import { type Hub, sleepFor } from "../checkpoint/hub/hub.ts";
import { SepError } from "../errors.ts";
import { createRng } from "../math/rng.ts";
import { rankServers } from "./rank-servers.ts";
import { describeOutcome, retryRequests } from "./retry-requests.ts";
import { type Answered, type Outcome, sendOnce } from "./send-once.ts";
import type { ServerAddress } from "./server-address.ts";
import { createServerFetch } from "./server-fetch.ts";
import { type HealthWatch, watchHealth } from "./server-health.ts";

export interface ServerPoolOptions {
  /** Sent as a bearer token to these addresses only. */
  readonly apiKey?: string | undefined;
  /** Bound on one request, from its sending to its last byte. */
  readonly limitMs?: number | undefined;
  readonly tries?: number | undefined;
  readonly firstDelayMs?: number | undefined;
  /** The pool's own, with its own connections, when not given. */
  readonly fetch?: typeof fetch | undefined;
  readonly sleep?: Hub["sleep"] | undefined;
  readonly random?: (() => number) | undefined;
  /** Milliseconds; only differences count. */
  readonly now?: (() => number) | undefined;
  readonly healthEveryMs?: number | undefined;
}

/** Servers that serve the same model. */
export interface ServerPool extends AsyncDisposable {
  readonly servers: readonly ServerAddress[];
  /**
   * Sends to the server that `key` belongs to, and to the next one while that one is dead.
   * @param path under the API's address, or with `at: "root"` beside it
   * @returns an answer below 400, or a refusal that another try would not change
   * @throws SepError `server-unreachable` when all tries failed; the signal's reason
   */
  post(path: string, body: unknown, options: PostOptions): Promise<Answered>;
  /** Asks one server, for what each has to say for itself. @throws as `post` */
  ask(server: ServerAddress, path: string, options?: AskOptions): Promise<Answered>;
}

export interface PostOptions {
  readonly key: string;
  readonly at?: "api" | "root" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface AskOptions {
  readonly at?: "api" | "root" | undefined;
  /** Posted; a GET without it. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Half an hour: an answer with long reasoning on a busy server. */
export const DEFAULT_LIMIT_MS = 1_800_000;
/** 0.25 + 0.5 + … + 16 + 16 s, about a minute in all: a restart of a balancer passes unseen, one of vLLM may not. */
const TRIES = 10;
const FIRST_DELAY_MS = 250;
/** Requests in a row that were lost before a server counts as dead. */
const LOST_UNTIL_DEAD = 2;
/** How long a dead server is left alone. */
const DEAD_FOR_MS = 15_000;

export function createServerPool(
  servers: readonly ServerAddress[],
  options: ServerPoolOptions = {},
): ServerPool {
  const { apiKey, limitMs = DEFAULT_LIMIT_MS, sleep = sleepFor, now = () => performance.now() } = options;
  const jitter = createRng("jitter", process.pid);
  const retrying = {
    tries: options.tries ?? TRIES,
    firstDelayMs: options.firstDelayMs ?? FIRST_DELAY_MS,
    sleep,
    random: options.random ?? (() => jitter.next()),
  };
  const own = options.fetch === undefined ? createServerFetch() : null;
  const fetch = options.fetch ?? (own?.fetch as typeof globalThis.fetch);
  const states = new Map<ServerAddress, ServerState>(
    servers.map((server) => [
      server,
      {
        lost: 0,
        deadUntilMs: -Infinity,
        watch: watchHealth(server.root, { fetch, everyMs: options.healthEveryMs ?? 5_000 }),
      },
    ]),
  );
  const isAlive = (server: ServerAddress): boolean => stateOf(states, server).deadUntilMs <= now();

  const tryServer = async (
    server: ServerAddress,
    path: string,
    init: RequestInit,
    at: "api" | "root",
    signal: AbortSignal | undefined,
  ): Promise<Outcome> => {
    const state = stateOf(states, server);
    const watched = state.watch.begin();
    const outcome = await sendOnce(`${server[at]}${path}`, init, {
      fetch,
      limitMs,
      signal,
      dead: watched.signal,
    }).finally(watched.end);
    // the health check has tried often enough
    if (watched.signal.aborted) state.lost = LOST_UNTIL_DEAD;
    state.lost = outcome.kind === "lost" ? state.lost + 1 : 0;
    state.deadUntilMs = state.lost >= LOST_UNTIL_DEAD ? now() + DEAD_FOR_MS : -Infinity;
    return outcome;
  };
  const headersOf = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
    "content-type": "application/json",
    ...more,
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  });

  return {
    servers,
    async post(path, body, { key, at = "api", headers, signal }) {
      const init = { method: "POST", headers: headersOf(headers), body: JSON.stringify(body) };
      const ranked = rankServers(servers, key);
      let asked = ranked[0] as ServerAddress;
      const outcome = await retryRequests(
        async () => {
          asked = ranked.find(isAlive) ?? asked;
          const result = await tryServer(asked, path, init, at, signal);
          const next = ranked.find(isAlive);
          return { ...result, isElsewhere: next !== undefined && next !== asked };
        },
        { ...retrying, signal },
      );
      return requireAnswer(outcome, asked);
    },
    async ask(server, path, { at = "api", body, signal } = {}) {
      const init: RequestInit =
        body === undefined
          ? { method: "GET", headers: headersOf() }
          : { method: "POST", headers: headersOf(), body: JSON.stringify(body) };
      const outcome = await retryRequests(() => tryServer(server, path, init, at, signal), {
        ...retrying,
        signal,
      });
      return requireAnswer(outcome, server);
    },
    async [Symbol.asyncDispose]() {
      for (const { watch } of states.values()) watch[Symbol.dispose]();
      await own?.[Symbol.asyncDispose]();
    },
  };
}

interface ServerState {
  /** Requests in a row without an answer. */
  lost: number;
  deadUntilMs: number;
  readonly watch: HealthWatch;
}

const stateOf = (states: ReadonlyMap<ServerAddress, ServerState>, server: ServerAddress): ServerState =>
  states.get(server) as ServerState;

function requireAnswer(outcome: Outcome, server: ServerAddress): Answered {
  if (outcome.kind === "answered" && (outcome.status < 500 || outcome.status === 501)) {
    if (outcome.status !== 429 && outcome.status !== 408) return outcome;
  }
  throw new SepError(
    "server-unreachable",
    `${server.api} ${describeOutcome(outcome)}, after several tries. Check that the server runs and its log; what is done is kept, and the same command goes on from there.`,
    { cause: outcome.kind === "lost" ? outcome.cause : undefined },
  );
}
