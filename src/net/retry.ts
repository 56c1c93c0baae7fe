import { setTimeout as delay } from "node:timers/promises";

/** The outcome of one try, as far as it decides whether to try again. */
type Tried = TriedAnswer | { readonly kind: "lost"; readonly isHopeless?: boolean };

interface TriedAnswer {
  readonly kind: "answered";
  readonly status: number;
  readonly headers: Headers;
}

/** Waits. @throws the signal's reason when it is aborted */
export type Sleep = (durationMs: number, signal?: AbortSignal) => Promise<void>;

interface RetryOptions {
  /** Tries in all, the first included. */
  readonly tries: number;
  /** Wait after the first failure; it doubles with each further one, up to 16 s. */
  readonly firstDelayMs?: number;
  readonly sleep: Sleep;
  /** In [0, 1): jitter for requests that failed together; no jitter without it. */
  readonly random?: () => number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Retries lost connections, 408, 429 and server errors, and waits as long as the server asks to. Yields each outcome
 * that is to be retried, before the wait.
 * @param send one try; `isElsewhere` says that the next one goes to another server, so that no wait is needed
 * @returns the last outcome, good or bad
 * @throws the signal's reason
 */
export async function* retry<Outcome extends Tried>(
  send: () => Promise<Outcome & { readonly isElsewhere?: boolean }>,
  { tries, firstDelayMs, sleep, random = () => 0, signal }: RetryOptions,
): AsyncGenerator<{ readonly outcome: Outcome; readonly waitMs: number }, Outcome> {
  for (let failures = 1; ; failures++) {
    const outcome = await send();
    if (!isPassing(outcome) || failures >= tries) return outcome;
    const asked = outcome.kind === "answered" ? askedDelayMs(outcome.headers) : null;
    if (asked !== null && asked > LONGEST_WAIT_MS) return outcome;
    if (outcome.isElsewhere && asked === null) continue;
    const waitMs =
      asked === null
        ? backoffMs(failures, firstDelayMs) * (1 - 0.5 * random())
        : asked * (1 + 0.1 * random());
    yield { outcome, waitMs };
    await sleep(waitMs, signal);
  }
}

/** Whether a later try may succeed. */
const isPassing = (outcome: Tried): boolean =>
  outcome.kind === "lost"
    ? !outcome.isHopeless
    : outcome.status === 408 || outcome.status === 429 || outcome.status >= 500;

/** Exponential backoff. @param failures tries that have failed in a row, from 1 */
export const backoffMs = (failures: number, firstDelayMs: number = FIRST_DELAY_MS): number =>
  Math.min(firstDelayMs * 2 ** (failures - 1), LONGEST_DELAY_MS);

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 16_000;
/** The hub counts requests in windows of 5 minutes. A longer wait is an error, so that the user hears of it. */
export const LONGEST_WAIT_MS = 330_000;

/**
 * How long a refusal asks to wait; null if it does not say.
 * @see RFC 9110 10.2.3 (Retry-After); draft-ietf-httpapi-ratelimit-headers-09, which the hub sends:
 *   `RateLimit: "resolvers";r=0;t=55` means nothing left for 55 s
 */
export const askedDelayMs = (headers: Headers): number | null =>
  readRetryAfterMs(headers) ?? readRateLimitMs(headers);

/** Seconds, or a date on the server's own clock. */
function readRetryAfterMs(headers: Headers): number | null {
  const value = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const waitMs = Date.parse(value) - Date.parse(headers.get("date") ?? "");
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : null;
}

function readRateLimitMs(headers: Headers): number | null {
  const seconds = /;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  return seconds === undefined ? null : Number(seconds) * 1_000;
}

/** @throws the signal's reason when it is aborted */
export async function sleepFor(durationMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await delay(durationMs, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}
