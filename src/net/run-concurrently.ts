export interface RunConcurrentlyOptions {
  /** Generators under way at a time. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a generator for each item, a few at a time, and hands on their events as they come. When one fails, or
 * nobody wants more events, the signal that the others got is aborted, and they end before this does.
 * @returns what each returned, in the items' order
 */
export async function* runConcurrently<Item, Event, Result>(
  items: readonly Item[],
  start: (item: Item, signal: AbortSignal) => AsyncGenerator<Event, Result>,
  { concurrency, signal }: RunConcurrentlyOptions,
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
