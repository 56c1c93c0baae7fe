import { SepError } from "../errors.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { TracePosition } from "../tracing/positions.ts";
import { type FoldAssignment, hasBothClasses } from "./cross-validate.ts";
import { createExactDesign } from "./design-matrix.ts";
import { type ClassWeight, fitLogistic } from "./fit-logistic.ts";
import type { HiddenStates } from "./hidden-states.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";
import type { Probe } from "./probe.ts";
import type { UntrainedProbe } from "./probe-file.ts";
import { applyScaler, fitScaler } from "./scaler.ts";
import {
  type LayerScore,
  type PenaltyScore,
  type ProbeTarget,
  pickLayer,
  pickPenalty,
  SWEEP_C,
  scorePenalties,
} from "./select-layer.ts";

/** The training rows of one target. */
export interface TargetRows {
  readonly target: ProbeTarget;
  /** [n] 0 or 1 */
  readonly labels: Uint8Array;
  readonly questionIds: readonly string[];
}

export interface TrainProbeOptions {
  readonly position: TracePosition;
  /** "best" takes the layer with the best out-of-fold AUROC. */
  readonly layer: number | "best";
  /** "cv" takes the penalty with the best out-of-fold AUROC at the layer. */
  readonly C: number | "cv";
  readonly classWeight: ClassWeight;
  readonly seed: number;
}

/**
 * Trains a probe on hidden states at its best layer and penalty, both chosen on training questions only.
 * @param stateRows [n] rows of the hidden-state tensors at the position; -1 rows are left out
 * @param layerScores of the sweep
 */
export async function trainHiddenStateProbe(
  multiplier: MatrixMultiplier,
  hidden: HiddenStates,
  { target, labels, questionIds }: TargetRows,
  stateRows: Int32Array,
  folds: FoldAssignment,
  layerScores: readonly LayerScore[],
  { position, layer, C, classWeight, seed }: TrainProbeOptions,
): Promise<Probe | UntrainedProbe> {
  const rows = Array.from(labels.keys()).filter((row) => stateRows[row]! >= 0);
  const ownLabels = Uint8Array.from(rows, (row) => labels[row]!);
  if (!hasBothClasses(ownLabels)) return untrained(target, ownLabels);
  const warnings: ManifestWarning[] = [];
  const best = pickLayer(layerScores, position, target);
  const chosen = layer === "best" ? (best?.layer ?? hidden.layers.at(-1)!) : layer;
  const features = await hidden.read(
    position,
    chosen,
    Int32Array.from(rows, (row) => stateRows[row]!),
  );
  const ownFolds = { ...folds, foldOf: rows.map((row) => folds.foldOf[row]!) };
  const penaltyScores: readonly PenaltyScore[] =
    C === "cv"
      ? await scorePenalties(multiplier, features, hidden.width, ownLabels, ownFolds, { classWeight })
      : [];
  const penalty = C === "cv" ? (pickPenalty(penaltyScores) ?? SWEEP_C) : C;
  if (layer === "best" && best === null) {
    warnings.push({
      code: "no-layer-score",
      message: `The ${target} probe's layers could not be compared (no fold has both classes); layer ${chosen} was taken. Add questions.`,
    });
  }
  const fitted = await fitOne(features, hidden.width, ownLabels, penalty, classWeight);
  return {
    ...fitted.weights,
    kind: "logistic",
    target,
    features: "hidden-state",
    position,
    layer: chosen,
    width: hidden.width,
    source: hidden.metadata,
    C: penalty,
    class_weight: classWeight,
    training: {
      row_count: rows.length,
      question_count: new Set(rows.map((row) => questionIds[row]!)).size,
      positive_count: ownLabels.reduce((sum, label) => sum + label, 0),
      dropped_rows: labels.length - rows.length,
      seed,
      folds: folds.foldCount,
      layer_scores: layerScores,
      penalty_scores: penaltyScores,
      relative_error: fitted.relativeError,
    },
    warnings: [...warnings, ...fitted.warnings],
  };
}

/**
 * Trains the baseline: a logistic regression of incorrectness on the mean token entropy of the reasoning alone. One
 * feature has one ranking, so its penalty is scikit-learn's default of C = 1.
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
  if (!hasBothClasses(ownLabels)) return untrained(target, ownLabels);
  const features = Float32Array.from(rows, (row) => meanThinkEntropy[row]!);
  const fitted = await fitOne(features, 1, ownLabels, BASELINE_C, classWeight);
  return {
    ...fitted.weights,
    kind: "logistic",
    target,
    features: "mean-think-entropy",
    position: null,
    layer: null,
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
      relative_error: fitted.relativeError,
    },
    warnings: fitted.warnings,
  };
}

const BASELINE_C = 1;

async function fitOne(
  features: Float32Array,
  width: number,
  labels: Uint8Array,
  C: number,
  classWeight: ClassWeight,
): Promise<{
  weights: Pick<Probe, "mean" | "scale" | "coefficients" | "intercept">;
  relativeError: number;
  warnings: ManifestWarning[];
}> {
  const rows = Array.from(labels.keys());
  const scaler = fitScaler(features, width, rows);
  const design = createExactDesign(applyScaler(scaler, features, rows), rows.length, width);
  const [fit] = await fitLogistic(design, [{ labels, C, classWeight }]);
  if (fit === undefined) throw new SepError("bad-option", "A fit without tasks has no result.");
  const warnings: ManifestWarning[] = [];
  if (scaler.constantFeatures === width) {
    warnings.push({
      code: "constant-features",
      message: `All ${width} features are the same in every training row, so the probe's scores are all the same.`,
    });
  }
  if (!fit.converged) {
    warnings.push({
      code: "not-converged",
      message: `The fit stopped with coefficients within ${fit.relativeError.toExponential(1)} of the optimum.`,
    });
  }
  return {
    weights: {
      mean: Float32Array.from(scaler.mean),
      scale: Float32Array.from(scaler.scale),
      coefficients: Float32Array.from(fit.coefficients),
      intercept: fit.intercept,
    },
    relativeError: fit.relativeError,
    warnings,
  };
}

function untrained(target: ProbeTarget, labels: Uint8Array): UntrainedProbe {
  const message =
    `All ${labels.length} training labels of the ${target} probe are ${labels[0] ?? "missing"} (one class): it cannot be ` +
    "trained, and its scores are null. Add questions of another difficulty.";
  return { kind: "untrained", target, warnings: [{ code: "one-class", message }] };
}
