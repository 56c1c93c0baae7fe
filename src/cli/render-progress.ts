import { setImmediate as nextTurn } from "node:timers/promises";
import { ESTIMATE_NEEDS } from "../entropy/measures/estimate.ts";
import type { EstimateCost } from "../entropy/measures/estimate-registry.ts";
import { SepError } from "../errors.ts";
import type { StepEvent } from "../study/step.ts";
import type { StepName } from "../study/workspace.ts";
import type { CliContext } from "./command.ts";
import { groupWarnings } from "./group-warnings.ts";
import {
  createProgressMeter,
  formatLiveLine,
  formatPlainLine,
  type PartProgress,
  type ProgressMeter,
  partLabel,
} from "./progress-meter.ts";
import { createPaint, setMessage } from "./terminal.ts";

/** How events are shown: JSON lines, nothing but warnings, or for people. */
interface ProgressMode {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Steps whose warnings the command prints with its result; until then they wait, unless the work fails. */
  readonly listedLater?: readonly StepName[];
}

/** Shows events one by one; `finish` is called once after the last one. */
interface ProgressView {
  show(event: StepEvent): void;
  finish(): void;
}

/**
 * Drives a step (or several) to its end and shows its events. For people: a live line a part on a terminal,
 * else a plain line now and then, with notes and warnings between them, all on stderr. With `json`: one JSON
 * line an event on stdout. People see each warning once, however many steps come upon it.
 * @returns what the iterator returned
 * @throws SepError `interrupted` when the signal is aborted; the iterator is closed first, so that its locks
 * are given back
 */
export async function renderProgress<Result>(
  events: AsyncGenerator<StepEvent, Result>,
  mode: ProgressMode,
  context: CliContext,
): Promise<Result> {
  const view = createView(mode, context);
  const warnings = mode.json ? null : createWarningFilter(mode);
  const showAll = (shown: readonly StepEvent[]): void => {
    for (const event of shown) view.show(event);
  };
  let lastTurnMs = context.now();
  try {
    for (;;) {
      const next = await events.next();
      if (next.done) return next.value;
      showAll(warnings === null ? [next.value] : warnings.take(next.value));
      if (context.now() - lastTurnMs >= TURN_MS) {
        // A step that never waits for anything would keep Ctrl-C from being heard.
        await nextTurn();
        lastTurnMs = context.now();
      }
      if (context.signal.aborted) throw new SepError("interrupted", "Stopped before it was finished.");
    }
  } catch (error) {
    // there will be no result to list them with
    showAll(warnings?.takeWaiting() ?? []);
    throw error;
  } finally {
    showAll(warnings?.takeHeld() ?? []);
    view.finish();
    await events.return(undefined as Result);
  }
}

type WarningEvent = Extract<StepEvent, { kind: "warning" }>;

interface WarningFilter {
  /** @returns what to show now */
  take(event: StepEvent): readonly StepEvent[];
  /** What the last events of a step have left. */
  takeHeld(): readonly StepEvent[];
  /** Warnings that were to be listed with the result. */
  takeWaiting(): readonly StepEvent[];
}

/**
 * Lets each warning through once, for another question set as a reference to the first, and those that come one after the
 * other and are alike as one.
 */
function createWarningFilter({ quiet, listedLater = [] }: ProgressMode): WarningFilter {
  const partsOf = new Map<string, string[]>();
  let waiting: WarningEvent[] = [];
  let held: WarningEvent[] = [];
  const takeHeld = (): readonly StepEvent[] => {
    const shown = groupEvents(held);
    held = [];
    return shown;
  };
  return {
    takeHeld,
    takeWaiting() {
      const shown = groupEvents(waiting);
      waiting = [];
      return shown;
    },
    take(event) {
      if (event.kind !== "warning") return [...takeHeld(), event];
      const before = isSameWork(held.at(-1) ?? event, event) ? [] : takeHeld();
      const { code, message } = event.warning;
      const key = `${code} ${message}`;
      const parts = partsOf.get(key) ?? [];
      if (parts.includes(event.part)) return before;
      partsOf.set(key, [...parts, event.part]);
      const shown =
        parts[0] === undefined ? event : { ...event, warning: { code, message: `same as for ${parts[0]}` } };
      if (quiet || !listedLater.some((step) => step === event.step)) held.push(shown);
      else waiting.push(shown);
      return before;
    },
  };
}

const isSameWork = (one: WarningEvent, other: WarningEvent): boolean =>
  one.step === other.step && one.part === other.part;

/** @param events warnings in order, those of a part of a step side by side */
function groupEvents(events: readonly WarningEvent[]): WarningEvent[] {
  const parts: WarningEvent[][] = [];
  for (const event of events) {
    const last = parts.at(-1);
    if (last !== undefined && isSameWork(last[0]!, event)) last.push(event);
    else parts.push([event]);
  }
  return parts.flatMap((part) =>
    groupWarnings(part.map(({ warning }) => warning)).map((warning) => ({ ...part[0]!, warning })),
  );
}

function createView(mode: ProgressMode, context: CliContext): ProgressView {
  if (mode.json) return createJsonView(context);
  if (mode.quiet) return createQuietView(context);
  return context.stderr.isTTY === true && context.env.TERM !== "dumb"
    ? createLiveView(context)
    : createPlainView(context);
}

function createJsonView({ stdout }: CliContext): ProgressView {
  return { show: (event) => stdout.write(`${JSON.stringify(event)}\n`), finish: () => undefined };
}

function createQuietView(context: CliContext): ProgressView {
  return {
    show(event) {
      if (event.kind === "warning") context.stderr.write(`${formatMessage(event, context)}\n`);
    },
    finish: () => undefined,
  };
}

function createLiveView(context: CliContext): ProgressView {
  const { stderr, now } = context;
  let meter: ProgressMeter | null = null;
  let drawnMs = Number.NEGATIVE_INFINITY;
  const draw = (progress: PartProgress): void => {
    // One column stays free: a full line makes some terminals wrap.
    stderr.write(`\r${formatLiveLine(progress, (stderr.columns ?? 80) - 1)}${CLEAR_TO_END}`);
    drawnMs = now();
  };
  const close = (): void => {
    if (meter === null) return;
    draw(meter.read(now()));
    stderr.write("\n");
    meter = null;
  };
  return {
    show(event) {
      if (isMessage(event)) {
        stderr.write(`\r${CLEAR_TO_END}${formatMessage(event, context)}\n`);
        if (meter?.follows(event) === true) draw(meter.read(now()));
        return;
      }
      if (meter === null || !meter.follows(event)) {
        close();
        meter = createProgressMeter(event, now());
        draw(meter.read(now()));
        return;
      }
      const progress = meter.update(event, now());
      if (now() - drawnMs >= REDRAW_MS) draw(progress);
    },
    finish: close,
  };
}

function createPlainView(context: CliContext): ProgressView {
  const { stderr, now } = context;
  let meter: ProgressMeter | null = null;
  let printed = { done: -1, ms: 0 };
  const print = (progress: PartProgress): void => {
    stderr.write(`${formatPlainLine(progress)}\n`);
    printed = { done: progress.done, ms: now() };
  };
  const close = (): void => {
    const progress = meter?.read(now());
    if (progress !== undefined && progress.done !== printed.done) print(progress);
    meter = null;
  };
  return {
    show(event) {
      if (isMessage(event)) {
        stderr.write(`${formatMessage(event, context)}\n`);
        return;
      }
      if (meter === null || !meter.follows(event)) {
        close();
        meter = createProgressMeter(event, now());
        print(meter.read(now()));
        return;
      }
      const progress = meter.update(event, now());
      const waitedMs = now() - printed.ms;
      const tenths = (done: number): number => Math.floor((done / Math.max(1, progress.total)) * 10);
      const grew = tenths(progress.done) > tenths(printed.done);
      if ((grew && waitedMs >= PLAIN_MIN_MS) || waitedMs >= PLAIN_MAX_MS) print(progress);
    },
    finish: close,
  };
}

type MessageEvent = Exclude<StepEvent, { kind: "started" | "advanced" }>;

const isMessage = (event: StepEvent): event is MessageEvent =>
  event.kind !== "started" && event.kind !== "advanced";

function formatMessage(event: MessageEvent, { stderr, env }: CliContext): string {
  const paint = createPaint(stderr, env);
  if (event.kind === "estimates") return formatEstimates(event);
  if (event.kind === "note")
    return paint("gray", setMessage(`${partLabel(event)}: ${event.message}`, stderr));
  const { code, message } = event.warning;
  const text = setMessage(`warning ${partLabel(event)}: ${message} [${code}]`, stderr);
  return text.replace(/^warning/, (word) => paint("yellow", word));
}

const CLEAR_TO_END = "\u001b[K";
/** A frame of the live line: fast enough to look alive, slow enough not to cost anything. */
const REDRAW_MS = 80;
/** Plain lines: a tenth of the work at most this often, … */
const PLAIN_MIN_MS = 2_000;
/** … and at least this often while events come, however slow the work is. */
const PLAIN_MAX_MS = 30_000;
/** How long a step may go on before the event loop gets a turn. */
const TURN_MS = 50;

/** The measures that were computed, as a table: how many questions have each, what the others lack, and what it cost. */
export function formatEstimates({
  questions,
  costs,
}: Pick<Extract<StepEvent, { kind: "estimates" }>, "questions" | "costs">): string {
  const rows = costs.map((cost) => [
    cost.name,
    `${cost.computed} of ${questions}`,
    `${cost.durationMs.toFixed(1)} ms`,
    cost.nliPairs === 0 ? "" : String(cost.nliPairs),
    describeMissing(cost),
  ]);
  const table = [["measure", "questions", "time", "NLI pairs", "missing"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column]!, column))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Numbers to the right, words to the left. */
const pad = (cell: string, width: number, column: number): string =>
  column === 0 || column === 4 ? cell.padEnd(width) : cell.padStart(width);

const describeMissing = ({ missing }: EstimateCost): string =>
  Object.entries(missing)
    .map(([need, count]) =>
      need === "finite"
        ? `infinite or undefined in ${count}`
        : `${ESTIMATE_NEEDS[need as keyof typeof ESTIMATE_NEEDS]}, in ${count}`,
    )
    .join("; ");
