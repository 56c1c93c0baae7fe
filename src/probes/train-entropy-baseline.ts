import { describeUntrained } from "./describe-probe.ts";
import { createExactDesign } from "./design-matrix.ts";
import { type ClassWeight, fitLogistic } from "./fit-logistic.ts";
import type { Probe, UntrainedProbe } from "./probe.ts";
import { standardiseRows } from "./scaler.ts";
import { hasBothClasses } from "./split-questions.ts";
import type { ProbeTarget } from "./sweep/score-table.ts";

/** The training rows of one target. */
export interface TargetRows {
  readonly target: ProbeTarget;
  /** [n] 0 or 1 */
  readonly labels: Uint8Array;
  readonly questionIds: readonly string[];
}

/** One feature has one ranking, so the penalty is scikit-learn's default. */
const BASELINE_C = 1;

/**
 * Trains the baseline: a logistic regression of incorrectness on the mean token entropy of the reasoning alone.
 * @param meanThinkEntropy [n] nats; NaN rows are left out
 */
export async function trainEntropyBaseline(
  { target, labels, questionIds }: TargetRows,
  meanThinkEntropy: Float64Array,
  {
    classWeight,
    seed,
    source,
  }: {
    readonly classWeight: ClassWeight;
    readonly seed: number;
    readonly source: Readonly<Record<string, string>>;
  },
): Promise<Probe | UntrainedProbe> {
  const rows = Array.from(labels.keys()).filter((row) => !Number.isNaN(meanThinkEntropy[row]));
  const ownLabels = Uint8Array.from(rows, (row) => labels[row]!);
  if (rows.length === 0) {
    const message =
      "No training sample has reasoning, so there is no entropy baseline and its scores are null.";
    return { kind: "untrained", target, warnings: [{ code: "no-reasoning", message }] };
  }
  if (!hasBothClasses(ownLabels)) return describeUntrained(target, ownLabels);
  const features = Float32Array.from(rows, (row) => meanThinkEntropy[row]!);
  const { scaler, values } = standardiseRows(features, 1);
  const design = createExactDesign(values, rows.length, 1);
  const [fit] = await fitLogistic(design, [{ labels: ownLabels, C: BASELINE_C, classWeight }]);
  const { coefficients, intercept, relativeError } = fit!;
  const message =
    "The reasoning has the same entropy in every training row, so the baseline's scores are all the same.";
  return {
    mean: Float32Array.from(scaler.mean),
    scale: Float32Array.from(scaler.scale),
    coefficients: Float32Array.from(coefficients),
    intercept,
    hidden: null,
    kind: "logistic",
    target,
    features: "mean-think-entropy",
    position: null,
    layer: null,
    layer_count: 1,
    width: 1,
    source,
    C: BASELINE_C,
    class_weight: classWeight,
    training: {
      row_count: rows.length,
      question_count: new Set(rows.map((row) => questionIds[row]!)).size,
      positive_count: ownLabels.reduce((sum, label) => sum + label, 0),
      dropped_rows: labels.length - rows.length,
      seed,
      folds: 0,
      layer_scores: [],
      penalty_scores: [],
      relative_error: relativeError,
      calibration: null,
      nested: null,
      permutation: null,
    },
    calibration_map: null,
    decisions: [],
    asking: null,
    familiarity: null,
    warnings: scaler.constantFeatures === 1 ? [{ code: "constant-features", message }] : [],
  };
}
