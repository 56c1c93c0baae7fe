/** First wait after a failure; it doubles with each further one. */
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 16_000;

/**
 * How long to wait before another try: what the server asks for, else 1, 2, 4, 8, 16 s.
 * @param failures how many tries in a row have failed, from 1
 * @param headers of the refusal; null if no answer came
 * @see RFC 9110 10.2.3 (Retry-After); draft-ietf-httpapi-ratelimit-headers-09, which the hub sends:
 *   `RateLimit: "resolvers";r=0;t=55` means nothing left for 55 s
 */
export function retryDelayMs(failures: number, headers: Headers | null): number {
  const asked = headers === null ? null : askedDelayMs(headers);
  return asked ?? Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
}

/** How long a refusal asks to wait; null if it does not say. */
export const askedDelayMs = (headers: Headers): number | null =>
  readRetryAfterMs(headers) ?? readRateLimitMs(headers);

/** Seconds, or a date, which counts from the server's own clock. */
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
