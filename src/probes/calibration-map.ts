import { logistic, logit } from "../math/logistic.ts";

/**
 * How a probe's score becomes the probability of label 1. Plain data, as it stands in JSON.
 * - `platt`: logistic(slope · logit(score) + offset), slope > 0.
 * - `isotonic`: straight lines between the points (x, y), level outside; x ascends, y never falls.
 */
export type CalibrationMap =
  | { readonly method: "platt"; readonly slope: number; readonly offset: number }
  | { readonly method: "isotonic"; readonly x: readonly number[]; readonly y: readonly number[] };

/**
 * Applies a calibration map to one score.
 * @param score P(label 1) as the probe says it, in [0, 1]
 * @returns calibrated P(label 1), in [0, 1]; NaN for NaN
 * @see Platt 1999; Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass probability estimates"
 */
export function applyCalibration(map: CalibrationMap, score: number): number {
  if (Number.isNaN(score)) return Number.NaN;
  if (map.method === "platt") return logistic(map.slope * logit(score) + map.offset);
  return interpolate(map.x, map.y, score);
}

function interpolate(x: readonly number[], y: readonly number[], at: number): number {
  let above = x.findIndex((value) => value >= at);
  if (above < 0) above = x.length - 1;
  const right = x[above]!;
  if (above === 0 || right <= at) return y[above]!;
  const left = x[above - 1]!;
  const share = (at - left) / (right - left);
  return y[above - 1]! + share * (y[above]! - y[above - 1]!);
}
