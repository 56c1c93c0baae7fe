import type { StepEvent } from "../study/step.ts";
import { formatBytes } from "../text/format-numbers.ts";

type CountedEvent = Extract<StepEvent, { kind: "started" | "advanced" }>;

/** How far one part of one step is, and how fast it went so far. */
export interface PartProgress {
  /** "generate math" */
  readonly label: string;
  /** What is counted, in the singular: "question". */
  readonly unit: string;
  readonly done: number;
  readonly total: number;
  readonly detail: string;
  readonly elapsedMs: number;
  /** Units per second in this run; null before the first unit. Units found on disk do not count. */
  readonly ratePerSecond: number | null;
  /** null while the rate is not known. */
  readonly etaMs: number | null;
}

/** Follows the events of one part of one step. */
export interface ProgressMeter {
  /** Is this event about the part that the meter follows? */
  follows(event: Pick<StepEvent, "step" | "part">): boolean;
  update(event: CountedEvent, nowMs: number): PartProgress;
  read(nowMs: number): PartProgress;
}

/** @param first the part's first counted event; its `done` were there before this run */
export function createProgressMeter(first: CountedEvent, startMs: number): ProgressMeter {
  const label = partLabel(first);
  const unit = first.kind === "started" ? first.unit : "";
  let doneBefore = first.kind === "started" ? first.done : 0;
  let { done, total } = first;
  let detail = "";
  const read = (nowMs: number): PartProgress => {
    const elapsedMs = nowMs - startMs;
    const doneNow = done - doneBefore;
    const ratePerSecond = doneNow > 0 && elapsedMs > 0 ? (doneNow / elapsedMs) * 1000 : null;
    const etaMs = ratePerSecond === null ? null : ((total - done) / ratePerSecond) * 1000;
    return { label, unit, done, total, detail, elapsedMs, ratePerSecond, etaMs };
  };
  return {
    follows: ({ step, part }) => step === first.step && part === first.part,
    update(event, nowMs) {
      if (event.kind === "started") doneBefore = event.done;
      ({ done, total } = event);
      detail = event.kind === "advanced" ? (event.detail ?? "") : "";
      return read(nowMs);
    },
    read,
  };
}

/** "generate math", or "train" for a step over both sets. */
export const partLabel = ({ step, part }: Pick<StepEvent, "step" | "part">): string =>
  part === "" ? step : `${step} ${part}`;

/** The live line: bar, done/total, rate, ETA, elapsed; cut to `columns`. */
export function formatLiveLine(progress: PartProgress, columns: number): string {
  const { label, done, total, detail, elapsedMs, ratePerSecond, etaMs } = progress;
  const filled = total === 0 ? BAR_WIDTH : Math.floor((done / total) * BAR_WIDTH);
  const line = [
    label.padEnd(LABEL_WIDTH),
    "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled),
    countDone(progress),
    ...(ratePerSecond === null ? [] : [`${formatRate(progress, ratePerSecond)}/s`]),
    ...(etaMs === null || done === total ? [] : [`ETA ${formatDuration(etaMs)}`]),
    formatDuration(elapsedMs),
    ...(detail === "" ? [] : [detail]),
  ].join("  ");
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}

/** The line for logs and pipes: no bar, one fact after another; before anything is done, how much there is to do. */
export function formatPlainLine(progress: PartProgress): string {
  const { label, unit, done, total, ratePerSecond, etaMs, elapsedMs } = progress;
  if (done === 0 && total > 0 && unit !== "byte" && elapsedMs < 1000)
    return `${label}: ${total}${unit === "" ? "" : ` ${unit}s`} to do`;
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return [
    `${label}: ${countDone(progress)} (${percent}%)`,
    ...(ratePerSecond === null ? [] : [`${formatRate(progress, ratePerSecond)}/s`]),
    ...(etaMs === null || done === total ? [] : [`ETA ${formatDuration(etaMs)}`]),
    `elapsed ${formatDuration(elapsedMs)}`,
  ].join(", ");
}

/** 0:07, 2:05, 1:02:05 */
export function formatDuration(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** "3/10 questions"; the steps' units (question, fit, split) all take an s. Bytes: "0.3/1.2 GB". */
const countDone = ({ done, total, unit }: PartProgress): string =>
  unit === "byte"
    ? `${formatBytes(done, total).replace(/ .*/, "")}/${formatBytes(total)}`
    : `${done}/${total}${unit === "" ? "" : ` ${unit}s`}`;

function formatRate({ unit }: PartProgress, rate: number): string {
  if (unit === "byte") return formatBytes(rate);
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(2);
}

const BAR_WIDTH = 24;
/** Fits "generate math". */
const LABEL_WIDTH = 13;
