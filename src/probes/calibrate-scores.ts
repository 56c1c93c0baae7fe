import { hasBothClasses } from "./cross-validate.ts";
import { createExactDesign } from "./design-matrix.ts";
import { fitLogistic } from "./fit-logistic.ts";
import { applyScaler, fitScaler } from "./scaler.ts";

/** P(label = 1) = logistic(slope · score + offset). */
export interface Calibration {
  readonly slope: number;
  readonly offset: number;
}

/** As for any regression on a single standardised feature here: it hardly matters, and keeps separable scores finite. */
const CALIBRATION_C = 1;

/**
 * Turns the scores of a probe that predicts no probabilities into such, by a logistic regression on scores of rows
 * that it was not fitted on.
 * @param scores [N] NaN rows are left out
 * @param labels [N] 0 or 1
 * @returns null where scores of one class only are there, or higher ones do not go with label 1: turning them round
 * would make a probe of noise look like one that works
 * @see Platt 1999, "Probabilistic outputs for support vector machines"
 */
export async function calibrateScores(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
): Promise<Calibration | null> {
  const rows = Array.from({ length: scores.length }, (_, row) => row).filter(
    (row) => !Number.isNaN(scores[row]),
  );
  const own = Uint8Array.from(rows, (row) => labels[row]!);
  if (!hasBothClasses(own)) return null;
  const values = Float64Array.from(rows, (row) => scores[row]!);
  const everyRow = Array.from(rows.keys());
  const scaler = fitScaler(values, 1, everyRow);
  const design = createExactDesign(applyScaler(scaler, values, everyRow), rows.length, 1);
  const [fit] = await fitLogistic(design, [{ labels: own, C: CALIBRATION_C, classWeight: "none" }]);
  const slope = fit!.coefficients[0]! / scaler.scale[0]!;
  if (!(slope > 0)) return null;
  return { slope, offset: fit!.intercept - slope * scaler.mean[0]! };
}
