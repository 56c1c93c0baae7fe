import type { EngineInfo } from "./messages.ts";

/** What answering up to a threshold promises. */
export interface Promised {
  /** Of answers that are given and wrong, at most. */
  readonly risk: number;
  /** Of answers that are given, at least. */
  readonly coverage: number;
}

/** The promise of a threshold: that of the last point of the curve at or below it. */
export function promiseAt(curve: EngineInfo["study"]["curve"], threshold: number): Promised {
  const point = curve.findLast((each) => each.threshold <= threshold);
  // below the lowest score no answer is given, and none is wrong
  return point ?? { risk: 0, coverage: 0 };
}

/** The threshold in force: the reader's, or the study's, or none. */
export const thresholdOf = ({ probe }: EngineInfo, chosen: number | null): number | null =>
  chosen ?? probe?.threshold ?? null;

/** Five steps, as in the chat page. */
const STEPS = ["very low", "low", "medium", "high", "very high"] as const;

/** @param risk in [0, 1] */
export const stepOf = (risk: number): number => Math.min(STEPS.length - 1, Math.floor(risk * STEPS.length));
export const wordOf = (risk: number): string => STEPS[stepOf(risk)] as string;

export const percent = (share: number): string => `${Math.round(100 * share)}%`;
