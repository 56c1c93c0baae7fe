import { auroc } from "../math/auroc.ts";
import { averagePrecision } from "../math/average-precision.ts";
import { logistic } from "../math/logistic.ts";
import { createExactDesign } from "../probes/design-matrix.ts";
import { type ClassWeight, fitLogistic } from "../probes/fit-logistic.ts";
import { hasBothClasses } from "../probes/grouped-folds.ts";
import { standardiseRows } from "../probes/scaler.ts";
import { brierScore, expectedCalibrationError } from "./calibration.ts";

/** What a probe reaches whose features say nothing: the floor that the other numbers stand on. */
export interface ConstantControl {
  /** P(incorrect) that it gives every answer: about the share of wrong training answers. */
  readonly probability: number;
  /** 0.5; anything else means that the evaluation itself orders rows by their labels. */
  readonly auc: number;
  /** The share of wrong answers. */
  readonly auprc: number;
  readonly ece: number;
  /** A probe with a higher Brier score does worse than knowing the error rate alone. */
  readonly brier: number;
}

/** A probe trained on constant features, ready to be held against any split. */
export interface ConstantProbe {
  /** @returns null with one class */
  evaluate(incorrect: Uint8Array): ConstantControl | null;
}

/**
 * Trains a probe as the accuracy probe is trained, on features that are the same in every row.
 * @param labels [n] of the training rows
 * @returns null with one class
 */
export async function fitConstantProbe(
  labels: Uint8Array,
  { C, classWeight }: { readonly C: number; readonly classWeight: ClassWeight },
): Promise<ConstantProbe | null> {
  if (!hasBothClasses(labels)) return null;
  const features = new Float32Array(labels.length).fill(1);
  const { values } = standardiseRows(features, 1);
  const [fit] = await fitLogistic(createExactDesign(values, labels.length, 1), [{ labels, C, classWeight }]);
  const probability = logistic(fit!.coefficients[0]! * values[0]! + fit!.intercept);
  return {
    evaluate(incorrect) {
      if (!hasBothClasses(incorrect)) return null;
      const scores = new Float64Array(incorrect.length).fill(probability);
      return {
        probability,
        auc: auroc(scores, incorrect),
        auprc: averagePrecision(scores, incorrect),
        ece: expectedCalibrationError(scores, incorrect),
        brier: brierScore(scores, incorrect),
      };
    },
  };
}
