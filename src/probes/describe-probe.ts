import type { TracePosition } from "../engine/places.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import type { Probe, UntrainedProbe } from "./probe.ts";
import type { ProbeKind } from "./probe-weights.ts";
import type { LayerScore, ProbeTarget } from "./sweep/score-table.ts";
import type { FittedProbes } from "./sweep/sweep-probes.ts";

export interface DescribeProbeOptions {
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
  const { weights, position, layer, layerCount, C, rows, penaltyScores, relativeError, calibration } = best;
  return {
    ...weights,
    kind,
    target,
    features: "hidden-state",
    position: position as TracePosition,
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
      calibration,
      nested: nested === null ? null : { auroc: nested.auroc, folds: nested.folds },
      permutation,
    },
    calibration_map: null,
    decisions: [],
    asking: null,
    familiarity: null,
    warnings: best.warnings,
  };
}

/** Stands in for a probe whose labels are all the same. */
export function describeUntrained(target: ProbeTarget, labels: Uint8Array): UntrainedProbe {
  const message =
    `All ${labels.length} training labels of the ${target} probe are ${labels[0] ?? "missing"} (one class): it cannot be ` +
    "trained, and its scores are null. Add questions of a different difficulty.";
  return { kind: "untrained", target, warnings: [{ code: "one-class", message }] };
}
