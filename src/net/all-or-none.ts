import { onAbort } from "./on-abort.ts";

/**
 * Applies an async function to all items at the same time. When one fails, the others are aborted and awaited.
 * @returns in the items' order
 */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  apply: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<readonly R[]> {
  const stop = new AbortController();
  const end = onAbort(signal, () => stop.abort(signal?.reason));
  const working = items.map((item) => apply(item, stop.signal));
  try {
    return await Promise.all(working);
  } finally {
    stop.abort();
    end();
    await Promise.allSettled(working);
  }
}
