import type { TracePosition } from "../engine/places.ts";
import { createExactDesign } from "./design-matrix.ts";
import { type ClassWeight, fitLogistic } from "./fit-logistic.ts";
import type { LayerScore, Probe, ProbeTarget, UntrainedProbe } from "./probe.ts";
import type { ProbeKind } from "./probe-weights.ts";
import { standardiseRows } from "./scaler.ts";
import { hasBothClasses } from "./split-questions.ts";
import type { FittedProbes } from "./sweep/sweep-probes.ts";

interface DescribeProbeOptions {
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  readonly seed: number;
  /** Provenance of the hidden states. */
  readonly source: Readonly<Record<string, string>>;
}

/**
 * The probe that was fitted to a target, with how it came to be, as it is saved.
 * @param questionIds [N] of the rows that probes were fitted on
 */
export function describeProbe(
  { targets, layerScores, folds }: FittedProbes,
  target: ProbeTarget,
  questionIds: readonly string[],
  { kind, classWeight, seed, source }: DescribeProbeOptions,
): Probe | UntrainedProbe {
  const { labels, best, nested, permutation } = targets[target]!;
  if (best === null) return describeUntrained(target, labels);
  const { weights, position, pooling, layer, layerCount, C, rows, penaltyScores, relativeError } = best;
  const { calibration, optimisation } = best;
  return {
    ...weights,
    kind,
    target,
    features: pooling === null ? "hidden-state" : "token-states",
    position: position as TracePosition,
    ...(pooling === null ? {} : { pooling }),
    layer,
    layer_count: layerCount,
    width: weights.mean.length,
    source,
    C,
    class_weight: classWeight,
    training: {
      row_count: rows.length,
      question_count: new Set(Array.from(rows, (row) => questionIds[row])).size,
      positive_count: rows.reduce((sum, row) => sum + labels[row]!, 0),
      dropped_rows: labels.length - rows.length,
      seed,
      folds: folds.foldCount,
      layer_scores: layerScores as readonly LayerScore[],
      penalty_scores: penaltyScores,
      relative_error: relativeError,
      ...(optimisation === null ? {} : { optimisation }),
      calibration,
      nested: nested === null ? null : { auroc: nested.auroc, folds: nested.folds },
      permutation,
    },
    calibration_map: null,
    score_deciles: null,
    decisions: [],
    asking: null,
    familiarity: null,
    warnings: best.warnings,
  };
}

/** The training rows of one target. */
interface TargetRows {
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
    score_deciles: null,
    decisions: [],
    asking: null,
    familiarity: null,
    warnings: scaler.constantFeatures === 1 ? [{ code: "constant-features", message }] : [],
  };
}

/** Stands in for a probe whose labels are all the same. */
function describeUntrained(target: ProbeTarget, labels: Uint8Array): UntrainedProbe {
  const message =
    `All ${labels.length} training labels of the ${target} probe are ${labels[0] ?? "missing"} (one class): it cannot be ` +
    "trained, and its scores are null. Add questions of a different difficulty.";
  return { kind: "untrained", target, warnings: [{ code: "one-class", message }] };
}
