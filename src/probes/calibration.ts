import { isotonicRegression } from "../math/isotonic-regression.ts";
import { fitPlattScaling, logistic, logit, type PlattScaling } from "../math/logistic.ts";
import { hasBothClasses } from "./split-questions.ts";

/**
 * How a probe's score becomes the probability of label 1. Plain data, as in JSON.
 * - `platt`: logistic(slope · logit(score) + offset), slope > 0.
 * - `isotonic`: linear between the points (x, y), constant outside; x ascends, y never falls.
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

/**
 * Fits a map from a probe's score to the probability of label 1, on rows that the probe was not fitted on.
 * @param scores [N] P(label 1) as the probe says it, in [0, 1]; NaN rows are left out
 * @param labels [N] 0 or 1
 * @returns null where one class only has scores, or higher scores do not go with label 1
 */
export function fitCalibration(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  method: CalibrationMap["method"],
): CalibrationMap | null {
  const scaling = calibrateScores(Array.from(scores, logit), labels);
  if (scaling === null) return null;
  if (method === "platt") return { method, ...scaling };
  const rows = Array.from(scores).flatMap((score, row) => (Number.isNaN(score) ? [] : [row]));
  return {
    method,
    ...isotonicRegression(
      rows.map((row) => scores[row]!),
      rows.map((row) => labels[row]!),
    ),
  };
}

/** P(label = 1) = logistic(slope · score + offset), slope > 0. */
export type Calibration = PlattScaling;

/**
 * Turns scores into probabilities by a logistic curve, on rows that the scoring model was not fitted on.
 * @param scores [N] any finite numbers; NaN rows are left out
 * @param labels [N] 0 or 1
 * @returns null where scores of one class only are there, or higher ones do not go with label 1: turning them round
 * would make a probe of noise look like one that works
 * @see Platt 1999, "Probabilistic outputs for support vector machines"
 */
export function calibrateScores(scores: ArrayLike<number>, labels: ArrayLike<number>): Calibration | null {
  const rows = Array.from({ length: scores.length }, (_, row) => row).filter(
    (row) => !Number.isNaN(scores[row]),
  );
  const own = rows.map((row) => labels[row]!);
  if (!hasBothClasses(own)) return null;
  const scaling = fitPlattScaling(
    rows.map((row) => scores[row]!),
    own,
  );
  return scaling.slope > 0 ? scaling : null;
}
