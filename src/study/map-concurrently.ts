/**
 * Applies an async function to items, at most `concurrency` at a time, in order of the items.
 * Yields results as they are ready. When one fails or the consumer stops, no new ones start, and those under way
 * are aborted and awaited before the error is thrown on.
 */
export async function* mapConcurrently<T, R>(
  items: readonly T[],
  apply: (item: T, signal: AbortSignal) => Promise<R>,
  { concurrency, signal }: { readonly concurrency: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<R, void> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const running = new Map<number, Promise<{ readonly index: number; readonly result: R }>>();
  let next = 0;
  try {
    while (next < items.length || running.size > 0) {
      signal?.throwIfAborted();
      while (next < items.length && running.size < concurrency) {
        const index = next++;
        const task = apply(items[index] as T, either).then((result) => ({ index, result }));
        running.set(index, task);
      }
      const { index, result } = await Promise.race(running.values());
      running.delete(index);
      yield result;
    }
  } finally {
    stop.abort();
    await Promise.allSettled(running.values());
  }
}
