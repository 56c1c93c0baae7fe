import { isotonicRegression } from "../math/isotonic-regression.ts";
import { logit } from "../math/logistic.ts";
import { calibrateScores } from "./calibrate-scores.ts";
import type { CalibrationMap } from "./calibration-map.ts";

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
