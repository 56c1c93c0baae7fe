import { SepError } from "../errors.ts";
import { createRng } from "../math/rng.ts";
import { describeOutcome } from "./describe-outcome.ts";
import { drain } from "./map-concurrently.ts";
import { retry, type Sleep, sleepFor } from "./retry.ts";
import {
  type Answered,
  createServerFetch,
  type ReceiveBody,
  type RequestOutcome,
  sendOnce,
} from "./send-once.ts";
import { rankServers, type ServerAddress } from "./server-address.ts";

export interface ServerPoolOptions {
  /** Sent as a bearer token to these addresses only. */
  readonly apiKey?: string | undefined;
  /** Time limit of one request, up to its last byte. */
  readonly limitMs?: number | undefined;
  readonly tries?: number | undefined;
  readonly firstDelayMs?: number | undefined;
  /** By default one of the pool's own, with its own connections. */
  readonly fetch?: typeof fetch | undefined;
  readonly sleep?: Sleep | undefined;
  readonly random?: (() => number) | undefined;
  /** Milliseconds; only differences count. */
  readonly now?: (() => number) | undefined;
  readonly healthEveryMs?: number | undefined;
}

/** Servers that serve the same model. */
export interface ServerPool extends AsyncDisposable {
  readonly servers: readonly ServerAddress[];
  /**
   * Posts to the server that `key` belongs to, or to the next one while that one is dead.
   * @param path below the address of the API, or of the root with `at: "root"`
   * @returns an answer below 400, or a refusal that another try would not change
   * @throws SepError `server-unreachable` when all tries failed; the signal's reason; what `receive` throws
   */
  post(path: string, body: unknown, options: PostOptions): Promise<Answered>;
  /** Asks one particular server. @throws as `post` */
  ask(server: ServerAddress, path: string, options?: AskOptions): Promise<Answered>;
}

interface PostOptions {
  readonly key: string;
  readonly at?: "api" | "root" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Makes, for each try, what gets the body as it comes. */
  readonly receive?: (() => ReceiveBody) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface AskOptions {
  readonly at?: "api" | "root" | undefined;
  /** With a body the request is a POST, else a GET. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Half an hour: long reasoning on a busy server. */
const DEFAULT_LIMIT_MS = 1_800_000;
/** With 0.25 + 0.5 + … + 16 + 16 s between them, about a minute: enough for a load balancer to restart, not for vLLM. */
const TRIES = 10;
const FIRST_DELAY_MS = 250;
/** A server counts as dead after so many lost requests in a row. */
const LOST_UNTIL_DEAD = 2;
/** How long a dead server is not tried again. */
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
    receive?: ReceiveBody,
  ): Promise<RequestOutcome> => {
    const state = stateOf(states, server);
    const watched = state.watch.begin();
    const outcome = await sendOnce(`${server[at]}${path}`, init, {
      fetch,
      limitMs,
      signal,
      dead: watched.signal,
      receive,
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
    async post(path, body, { key, at = "api", headers, receive, signal }) {
      const init = { method: "POST", headers: headersOf(headers), body: JSON.stringify(body) };
      const ranked = rankServers(servers, key);
      let asked = ranked[0] as ServerAddress;
      const send = async () => {
        asked = ranked.find(isAlive) ?? asked;
        const result = await tryServer(asked, path, init, at, signal, receive?.());
        const next = ranked.find(isAlive);
        return { ...result, isElsewhere: next !== undefined && next !== asked };
      };
      const outcome = await drain(retry<RequestOutcome>(send, { ...retrying, signal }));
      return requireAnswer(outcome, asked);
    },
    async ask(server, path, { at = "api", body, signal } = {}) {
      const init: RequestInit =
        body === undefined
          ? { method: "GET", headers: headersOf() }
          : { method: "POST", headers: headersOf(), body: JSON.stringify(body) };
      const send = () => tryServer(server, path, init, at, signal);
      const outcome = await drain(retry<RequestOutcome>(send, { ...retrying, signal }));
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

function requireAnswer(outcome: RequestOutcome, server: ServerAddress): Answered {
  if (outcome.kind === "answered" && (outcome.status < 500 || outcome.status === 501)) {
    if (outcome.status !== 429 && outcome.status !== 408) return outcome;
  }
  throw new SepError(
    "server-unreachable",
    `${server.api} ${describeOutcome(outcome)}, after several tries. Check that the server is running, and its log. Finished work is kept, and the same command resumes from it.`,
    { cause: outcome.kind === "lost" ? outcome.cause : undefined },
  );
}

/** Watches one server while it has requests to answer. */
interface HealthWatch extends Disposable {
  /** A request begins. @returns a signal that is aborted when the server is dead, and a function for its end */
  begin(): { readonly signal: AbortSignal; readonly end: () => void };
}

interface HealthWatchOptions {
  readonly fetch: typeof fetch;
  readonly everyMs?: number;
}

/** Three misses in a row, since a busy server may answer late. */
const CHECK_EVERY_MS = 5_000;
const MISSES = 3;

/**
 * Notices a server that vanished without closing its connections, as after a power cut. A request that waits for a
 * long answer cannot tell; short requests to `/health` can. A server without that endpoint is not watched.
 */
function watchHealth(root: string, { fetch, everyMs = CHECK_EVERY_MS }: HealthWatchOptions): HealthWatch {
  let waiting = 0;
  let misses = 0;
  let hasHealth = true;
  let dead = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const check = async (): Promise<void> => {
    const outcome = await sendOnce(`${root}/health`, { method: "GET" }, { fetch, limitMs: everyMs });
    if (outcome.kind === "answered" && outcome.status === 404) hasHealth = false;
    const isWell = outcome.kind === "answered" && outcome.status < 500;
    misses = isWell ? 0 : misses + 1;
    if (misses >= MISSES) {
      const reason = outcome.kind === "lost" ? outcome.reason : `status ${outcome.status}`;
      dead.abort(new Error(`its health check fails (${reason})`));
      dead = new AbortController();
      misses = 0;
    }
    schedule();
  };
  const schedule = (): void => {
    clearTimeout(timer);
    if (waiting === 0 || !hasHealth) return;
    timer = setTimeout(() => void check(), everyMs);
    timer.unref();
  };
  return {
    begin() {
      waiting += 1;
      if (waiting === 1) {
        misses = 0;
        schedule();
      }
      return {
        signal: dead.signal,
        end: () => {
          waiting -= 1;
          if (waiting === 0) clearTimeout(timer);
        },
      };
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
