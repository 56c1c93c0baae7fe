import { setImmediate as nextTurn } from "node:timers/promises";
import type { Progress } from "../wire.ts";

/** Long work that shows how far it is: `await` it for its result, or loop over it with `for await`. */
interface TrackedWork<Item, Result> extends AsyncIterable<Item>, PromiseLike<Result> {}

/** The parts of an event that are shown; the events of this package's steps have them. */
interface EventLike {
  readonly kind?: unknown;
  readonly step?: unknown;
  readonly part?: unknown;
  readonly done?: unknown;
  readonly total?: unknown;
  readonly detail?: unknown;
  readonly message?: unknown;
  readonly warning?: { readonly message?: unknown };
}

interface TrackOptions {
  readonly label?: string;
  /** How many items there will be, where that is not known from the list or from the events. */
  readonly total?: number;
}

/** What the tracker needs of the cell that it runs in. */
interface ProgressHost {
  readonly signal: AbortSignal;
  readonly now: () => number;
  show(progress: Progress): void;
}

/**
 * Follows an iterable, or a generator of events such as this package's steps are. The work is closed when the
 * cell is not wanted any more.
 */
export function trackProgress<Item, Result>(
  work: AsyncGenerator<Item, Result> | AsyncIterable<Item> | Iterable<Item>,
  host: ProgressHost,
  { label = "", total }: TrackOptions = {},
): TrackedWork<Item, Result> {
  const iterate = (): AsyncGenerator<Item, Result> => follow(work, host, label, total ?? lengthOf(work));
  const drain = async (): Promise<Result> => {
    const items = iterate();
    for (;;) {
      const next = await items.next();
      if (next.done) return next.value;
    }
  };
  let result: Promise<Result> | null = null;
  return {
    [Symbol.asyncIterator]: iterate,
    // biome-ignore lint/suspicious/noThenProperty: `await progress(…)` is what cells write
    then(onFulfilled, onRejected) {
      result ??= drain();
      return result.then(onFulfilled, onRejected);
    },
  };
}

async function* follow<Item, Result>(
  work: AsyncGenerator<Item, Result> | AsyncIterable<Item> | Iterable<Item>,
  { signal, now, show }: ProgressHost,
  label: string,
  total: number | null,
): AsyncGenerator<Item, Result> {
  const startMs = now();
  let lastTurnMs = startMs;
  let shown = begin(label, total);
  const iterator = (
    Symbol.asyncIterator in work ? work[Symbol.asyncIterator]() : work[Symbol.iterator]()
  ) as AsyncIterator<Item, Result>;
  show(shown);
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await iterator.next();
      if (next.done) return next.value;
      shown = timed(
        isEvent(next.value) ? takeEvent(shown, next.value) : { ...shown, done: shown.done + 1 },
        now() - startMs,
      );
      show(shown);
      yield next.value;
      if (now() - lastTurnMs >= TURN_MS) {
        // work that never awaits would keep an interrupt from being heard
        await nextTurn();
        lastTurnMs = now();
      }
    }
  } finally {
    show({ ...timed(shown, now() - startMs), isFinished: true });
    await iterator.return?.();
  }
}

const begin = (label: string, total: number | null): Progress => ({
  label,
  done: 0,
  total,
  detail: "",
  elapsedMs: 0,
  etaMs: null,
  messages: [],
  isFinished: false,
});

const isEvent = (item: unknown): item is EventLike =>
  typeof item === "object" && item !== null && typeof (item as EventLike).kind === "string" && "step" in item;

function takeEvent(shown: Progress, event: EventLike): Progress {
  const label = [event.step, event.part].filter((word) => typeof word === "string" && word !== "").join(" ");
  if (event.kind === "note" || event.kind === "warning") {
    const text = String(event.kind === "note" ? event.message : event.warning?.message);
    const message = { level: event.kind as "note" | "warning", text };
    return {
      ...shown,
      label: label || shown.label,
      messages: [...shown.messages, message].slice(-MAX_MESSAGES),
    };
  }
  return {
    ...shown,
    label: label || shown.label,
    done: Number(event.done ?? shown.done),
    total: typeof event.total === "number" ? event.total : shown.total,
    detail: typeof event.detail === "string" ? event.detail : "",
  };
}

function timed(progress: Progress, elapsedMs: number): Progress {
  const { done, total } = progress;
  const etaMs = total === null || done === 0 || done >= total ? null : (elapsedMs / done) * (total - done);
  return { ...progress, elapsedMs, etaMs };
}

const lengthOf = (work: object): number | null =>
  "length" in work && typeof work.length === "number"
    ? work.length
    : "size" in work && typeof work.size === "number"
      ? work.size
      : null;

const TURN_MS = 40;
const MAX_MESSAGES = 20;
