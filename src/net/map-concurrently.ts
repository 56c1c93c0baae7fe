import { setMaxListeners } from "node:events";
import pMap, { pMapIterable } from "p-map";

interface MapOptions extends ConcurrencyOptions {
  /** Whether results come in the items' order, each as soon as those in front of it are there. */
  readonly isOrdered?: boolean;
}

interface ConcurrencyOptions {
  /** At most so many items in parallel. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Applies an async function to items, at most `concurrency` in parallel, and yields each result as soon as it is
 * ready, or in the items' order. Items of a stream are taken as they come. Items start in their order. When one fails or the consumer stops, no further item starts, and those still
 * running are aborted and awaited before the error is rethrown.
 */
export async function* mapConcurrently<T, R>(
  items: readonly T[] | AsyncIterable<T>,
  apply: (item: T, signal: AbortSignal) => Promise<R>,
  { concurrency, isOrdered = false, signal }: MapOptions,
): AsyncGenerator<R, void> {
  await using group = openGroup(apply, signal);
  // boxed, since p-map's types exclude its own control symbols from R
  const results = pMapIterable(items, async (item) => ({ result: await group.apply(item) }), {
    concurrency,
    preserveOrder: isOrdered,
  });
  for await (const { result } of results) yield result;
}

/**
 * Applies an async function to all items in parallel. When one fails, the others are aborted and awaited.
 * @returns in the items' order
 */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  apply: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<readonly R[]> {
  await using group = openGroup(apply, signal);
  return (await pMap(items, group.apply)) as R[];
}

/**
 * Runs one generator per item, at most `concurrency` in parallel, and passes their events on as they come. When one
 * fails or the consumer stops, the others are aborted through their signal and awaited.
 * @returns what each returned, in the items' order
 */
export async function* runConcurrently<Item, Event, Result>(
  items: readonly Item[],
  start: (item: Item, signal: AbortSignal) => AsyncGenerator<Event, Result>,
  { concurrency, signal }: ConcurrencyOptions,
): AsyncGenerator<Event, Result[]> {
  const abort = new AbortController();
  const either = signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal]);
  const results = new Map<number, Result>();
  const running = new Map<number, Running<Event, Result>>();
  const advance = (index: number, generator: AsyncGenerator<Event, Result>): void => {
    const next = generator.next().then((step) => ({ index, generator, step }));
    running.set(index, { generator, next });
  };
  let started = 0;
  try {
    for (;;) {
      while (running.size < concurrency && started < items.length) {
        advance(started, start(items[started] as Item, either));
        started += 1;
      }
      if (running.size === 0) break;
      const { index, generator, step } = await Promise.race([...running.values()].map(({ next }) => next));
      if (step.done) {
        running.delete(index);
        results.set(index, step.value);
      } else {
        advance(index, generator);
        yield step.value;
      }
    }
    return items.map((_, index) => results.get(index) as Result);
  } finally {
    abort.abort();
    await Promise.allSettled([...running.values()].map(close));
  }
}

/** Runs a generator to its end. @returns what it returned */
export async function drain<Result>(events: AsyncGenerator<unknown, Result>): Promise<Result> {
  for (;;) {
    const step = await events.next();
    if (step.done) return step.value;
  }
}

/**
 * Calls back when a signal is aborted, at once if it is already.
 * @returns removes the callback
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) callback();
  setMaxListeners(0, signal); // many requests share one signal, and each removes its own listener
  signal.addEventListener("abort", callback, { once: true });
  return () => signal.removeEventListener("abort", callback);
}

interface Group<T, R> extends AsyncDisposable {
  readonly apply: (item: T) => Promise<R>;
}

/** Tasks that end together: disposing of the group aborts and awaits those still running. */
function openGroup<T, R>(
  apply: (item: T, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal | undefined,
): Group<T, R> {
  // not AbortSignal.any, whose signals are kept alive by the longest-lived of their sources
  const stop = new AbortController();
  const end = onAbort(signal, () => stop.abort(signal?.reason));
  const running = new Set<Promise<R>>();
  return {
    async apply(item) {
      stop.signal.throwIfAborted();
      const task = apply(item, stop.signal);
      running.add(task);
      try {
        return await task;
      } finally {
        running.delete(task);
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      end();
      await Promise.allSettled(running);
    },
  };
}

interface Running<Event, Result> {
  readonly generator: AsyncGenerator<Event, Result>;
  readonly next: Promise<{
    readonly index: number;
    readonly generator: AsyncGenerator<Event, Result>;
    readonly step: IteratorResult<Event, Result>;
  }>;
}

async function close<Event, Result>({ generator, next }: Running<Event, Result>): Promise<void> {
  await next;
  await generator.return(undefined as Result);
}
