import { onAbort } from "./map-concurrently.ts";

/** A signal that ends with another one, or when time is up; disposing of it stops the clock. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Limits the time of one piece of work. AbortSignal.timeout would keep its timer, and whatever waits for it, until the time
 * is up, however early the work ends.
 * @param signal that of the caller
 */
export function createDeadline(signal: AbortSignal, limitMs: number): Deadline {
  const controller = new AbortController();
  const forget = onAbort(signal, () => controller.abort(signal.reason));
  const timer = setTimeout(
    () => controller.abort(new DOMException(`Not done within ${limitMs / 1000} s.`, "TimeoutError")),
    limitMs,
  );
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      forget();
    },
  };
}
