import { sendOnce } from "./send-once.ts";

/** Watches one server while requests are under way at it. */
export interface HealthWatch extends Disposable {
  /** A request begins. @returns what ends the watch for it, and a signal that is aborted when the server is dead */
  begin(): { readonly signal: AbortSignal; readonly end: () => void };
}

export interface HealthWatchOptions {
  readonly fetch: typeof fetch;
  readonly everyMs?: number;
}

/** Three checks of 5 s: a busy server answers late, a dead one never. */
const CHECK_EVERY_MS = 5_000;
const MISSES = 3;

/**
 * Finds out about a server that is gone without having closed its connections: a machine that lost power, a cable. A
 * request that waits for a long answer cannot know; a short one to `/health` beside it does. A server without that
 * address is not watched.
 */
export function watchHealth(
  root: string,
  { fetch, everyMs = CHECK_EVERY_MS }: HealthWatchOptions,
): HealthWatch {
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
