import { fitPlattScaling, type PlattScaling } from "../math/logistic.ts";
import { hasBothClasses } from "./cross-validate.ts";

/** P(label = 1) = logistic(slope · score + offset), slope > 0. */
export type Calibration = PlattScaling;

/**
 * Turns scores into probabilities by a logistic curve, on rows that what scores them was not fitted on.
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
