import { auroc } from "../math/auroc.ts";
import { createRng } from "../math/rng.ts";
import { mean } from "../math/vector.ts";
import { createFastDesign } from "../probes/design-matrix.ts";
import { type ClassWeight, fitLogistic, sweepTolerance } from "../probes/fit-logistic.ts";
import { hasBothClasses } from "../probes/grouped-folds.ts";
import type { MatrixMultiplier } from "../probes/products/matrix-multiplier.ts";
import { applyScaler, standardiseRows } from "../probes/scaler.ts";
import { createLabelPermuter } from "../probes/sweep/test-permutations.ts";

/** AUROC, against the true labels, of probes that were trained on labels shuffled between questions. */
export interface ShuffledControl {
  readonly repeats: number;
  /** Expected near 0.5: far from it, something leaks between training and evaluation. */
  readonly auc_mean: number;
  readonly auc_min: number;
  readonly auc_max: number;
}

/** Enough that their mean is within about 0.05 of chance on thirty questions. */
const DEFAULT_REPEATS = 20;

/** Probes trained on shuffled labels, ready to score any split. */
export interface ShuffledProbes {
  /**
   * @param features  [n,d] of a split
   * @param incorrect [n]
   * @returns null with one class
   */
  evaluate(features: Float32Array, incorrect: Uint8Array): ShuffledControl | null;
}

/**
 * Trains the accuracy probe again and again on shuffled labels, at its own layer and penalty.
 * @param features [n,d] training rows
 * @param labels   [n]
 * @returns null if no two questions can exchange labels
 */
export async function fitShuffledProbes(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  width: number,
  labels: Uint8Array,
  questionIds: readonly string[],
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
