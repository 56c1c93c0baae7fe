import { setMaxListeners } from "node:events";
import pMap, { pMapIterable } from "p-map";

interface ConcurrencyOptions {
  /** Items under way at a time. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Applies an async function to items, at most `concurrency` at a time, begun in the items' order. Yields results as
 * they are ready. When one fails or the consumer stops, no new ones start, and those under way are aborted and
 * awaited before the error is thrown on.
 */
export async function* mapConcurrently<T, R>(
  items: readonly T[],
  apply: (item: T, signal: AbortSignal) => Promise<R>,
  { concurrency, signal }: ConcurrencyOptions,
): AsyncGenerator<R, void> {
  await using group = openGroup(apply, signal);
  // boxed, since the package's type leaves its own symbols out of what a result may be
  const results = pMapIterable(items, async (item) => ({ result: await group.apply(item) }), {
    concurrency,
    preserveOrder: false,
  });
  for await (const { result } of results) yield result;
}

/**
 * Applies an async function to all items at the same time. When one fails, the others are aborted and awaited.
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
 * Runs a generator for each item, a few at a time, and hands on their events as they come. When one fails, or
 * nobody wants more events, the signal that the others got is aborted, and they end before this does.
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
 * @returns what takes the callback back
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) callback();
  setMaxListeners(0, signal); // many requests share one signal, and each takes its own listener back
  signal.addEventListener("abort", callback, { once: true });
  return () => signal.removeEventListener("abort", callback);
}

interface Group<T, R> extends AsyncDisposable {
  readonly apply: (item: T) => Promise<R>;
}

/** Tasks that end together: when the group is disposed of, those under way are aborted and awaited. */
function openGroup<T, R>(
  apply: (item: T, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal | undefined,
): Group<T, R> {
  // by hand, since AbortSignal.any holds on to what it made while the longer-lived of its signals lives
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
