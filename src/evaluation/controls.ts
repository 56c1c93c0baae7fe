import { auroc } from "../math/auroc.ts";
import { logistic } from "../math/logistic.ts";
import { createRng } from "../math/rng.ts";
import { averagePrecision } from "../math/roc-curve.ts";
import { mean } from "../math/vector.ts";
import { createExactDesign, createFastDesign } from "../probes/design-matrix.ts";
import { type ClassWeight, fitLogistic, sweepTolerance } from "../probes/fit-logistic.ts";
import type { MatrixMultiplier } from "../probes/products/matrix-multiplier.ts";
import { applyScaler, standardiseRows } from "../probes/scaler.ts";
import { hasBothClasses } from "../probes/split-questions.ts";
import { createLabelPermuter } from "../probes/sweep/test-permutations.ts";
import { brierScore, expectedCalibrationError } from "./evaluate-calibration.ts";

/** AUROC, against the true labels, of probes that were trained on labels shuffled between questions. */
export interface ShuffledControl {
  readonly repeats: number;
  /** Expected near 0.5; if far from it, something leaks from training into evaluation. */
  readonly auc_mean: number;
  readonly auc_min: number;
  readonly auc_max: number;
}

/** Enough that their mean is within about 0.05 of chance on thirty questions. */
const DEFAULT_REPEATS = 20;

/** Probes trained on shuffled labels, ready to score any split. */
interface ShuffledProbes {
  /**
   * @param features  [n,d] of a split
   * @param incorrect [n]
   * @returns null with one class
   */
  evaluate(features: Float32Array, incorrect: Uint8Array): ShuffledControl | null;
}

/** What the accuracy probe was trained on. */
interface TrainingRows {
  /** [n,width] */
  readonly features: Float32Array;
  readonly width: number;
  /** [n] 1 = wrong */
  readonly labels: Uint8Array;
  /** [n] */
  readonly questionIds: readonly string[];
}

/**
 * Trains the accuracy probe repeatedly on shuffled labels, at its own layer and penalty.
 * @returns null if no two questions can exchange labels
 */
export async function fitShuffledProbes(
  multiplier: MatrixMultiplier,
  { features, width, labels, questionIds }: TrainingRows,
  {
    C,
    classWeight,
    repeats = DEFAULT_REPEATS,
    seed = 42,
  }: {
    readonly C: number;
    readonly classWeight: ClassWeight;
    readonly repeats?: number;
    readonly seed?: number;
  },
): Promise<ShuffledProbes | null> {
  const permuter = createLabelPermuter(labels, questionIds);
  if (permuter.exchangeableQuestions < 2) return null;
  const rng = createRng("shuffled-control", seed);
  const drawn = Array.from({ length: repeats }, () => permuter.draw(rng)).filter(hasBothClasses);
  if (drawn.length === 0) return null;
  const { scaler, values } = standardiseRows(features, width);
  const design = createFastDesign(multiplier, values, labels.length, width);
  const fits = await fitLogistic(
    design,
    drawn.map((shuffled) => ({ labels: shuffled, C, classWeight })),
    { tolerance: sweepTolerance(labels.length) },
  );
  return {
    evaluate(splitFeatures, incorrect) {
      if (!hasBothClasses(incorrect)) return null;
      const standardised = applyScaler(scaler, splitFeatures, Array.from(incorrect.keys()));
      const areas = fits.map(({ coefficients }) => {
        const scores = Float64Array.from(incorrect, (_, row) => {
          let sum = 0;
          for (let j = 0; j < width; j++) sum += coefficients[j]! * standardised[row * width + j]!;
          return sum;
        });
        return auroc(scores, incorrect);
      });
      return {
        repeats: areas.length,
        auc_mean: mean(areas),
        auc_min: Math.min(...areas),
        auc_max: Math.max(...areas),
      };
    },
  };
}

/** How a probe does whose features are uninformative: the baseline for the other numbers. */
export interface ConstantControl {
  /** P(incorrect) that it gives every answer: about the share of wrong training answers. */
  readonly probability: number;
  /** 0.5; anything else means that the evaluation itself orders rows by their labels. */
  readonly auc: number;
  /** The share of wrong answers. */
  readonly auprc: number;
  readonly ece: number;
  /** A probe with a higher Brier score is worse than knowing the error rate alone. */
  readonly brier: number;
}

/** A probe trained on constant features, ready to be evaluated on any split. */
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
