import { SepError } from "../errors.ts";
import { logistic } from "../math/logistic.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { TracePosition } from "../tracing/positions.ts";
import type { Calibration } from "./calibrate-scores.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import type { ProbeKind } from "./probe-kind.ts";
import { type ProbeWeights, scoreRows } from "./probe-weights.ts";
import type { LayerScore, PenaltyScore, ProbeTarget } from "./select-layer.ts";
import type { NestedFold } from "./sweep/estimate-nested.ts";
import type { PermutationEstimate } from "./sweep/test-permutations.ts";

/** Everything about a probe but its weights; the content of its JSON file. */
export interface ProbeDescription {
  readonly kind: ProbeKind;
  /** What label 1 means: a higher score is always more uncertain. */
  readonly target: ProbeTarget;
  readonly features: "hidden-state" | "mean-think-entropy";
  /** null for a probe that reads no hidden state. */
  readonly position: TracePosition | null;
  /**
   * 0 = embeddings, l = residual stream after block l, the first one of a window; null for a probe that reads no
   * hidden state.
   */
  readonly layer: number | null;
  /** Layers read, from `layer` on, side by side. */
  readonly layer_count: number;
  /** Numbers read: the model's width times the number of layers. */
  readonly width: number;
  /** Provenance of the hidden states, as the trace wrote it: model, its hash, norm state. */
  readonly source: Readonly<Record<string, string>>;
  /** 0 for a mean difference, which no penalty bends. */
  readonly C: number;
  readonly class_weight: ClassWeight;
  readonly training: ProbeTraining;
  readonly warnings: readonly ManifestWarning[];
}

/** How a probe came to be. */
interface ProbeTraining {
  readonly row_count: number;
  readonly question_count: number;
  /** Rows with label 1. */
  readonly positive_count: number;
  /** Rows left out because a feature is missing. */
  readonly dropped_rows: number;
  readonly seed: number;
  readonly folds: number;
  /** Out-of-fold AUROC of each position and layer, within the training questions. */
  readonly layer_scores: readonly LayerScore[];
  /** Out-of-fold AUROC of each tried C at the kept layer. */
  readonly penalty_scores: readonly PenaltyScore[];
  /** Bound of the coefficients' relative error; null for kinds that have no optimum to be at. */
  readonly relative_error: number | null;
  /** What made log odds of the kind's own score; null for kinds whose score is that. */
  readonly calibration: Calibration | null;
  /** What the whole procedure, its choices included, reaches on questions that it has not seen; null if not asked for. */
  readonly nested: { readonly auroc: number | null; readonly folds: readonly NestedFold[] } | null;
  /** null if not asked for. */
  readonly permutation: PermutationEstimate | null;
}

/** A probe ready to score: P(label = 1) = logistic(score). */
export interface Probe extends ProbeDescription, ProbeWeights {}

/**
 * Scores rows with a probe.
 * @param features [n, width] row-major
 * @returns [n] P(label = 1), in [0, 1]; higher is more uncertain; NaN where a feature is NaN
 * @throws SepError `probe-mismatch` if the features are not a whole number of rows of the probe's width
 */
export function scoreProbe(probe: Probe, features: Float32Array): Float64Array {
  const { width } = probe;
  if (features.length % width !== 0) {
    throw new SepError(
      "probe-mismatch",
      `The probe reads rows of width ${width}, got ${features.length} numbers. Trace the model it was fitted on, or refit with \`sep train\`.`,
    );
  }
  return scoreRows(probe, features).map(logistic);
}

/**
 * Checks that a probe belongs to what it is about to score.
 * @param width of one layer
 * @throws SepError `probe-mismatch` naming what differs
 */
export function requireProbeFits(
  probe: ProbeDescription,
  { width, source }: { readonly width: number; readonly source: Readonly<Record<string, string>> },
): void {
  const expected = probe.width / probe.layer_count;
  if (expected !== width) {
    throw new SepError(
      "probe-mismatch",
      `Probe expects width ${expected}, trace has ${width}. Refit with \`sep train\`.`,
    );
  }
  const known = (key: string): boolean => probe.source[key] !== undefined && source[key] !== undefined;
  // The same weights may go by two names, so the name only counts where there is no hash.
  const identity = known("weights_sha256") ? "weights_sha256" : "model";
  for (const key of [identity, "norm_state"].filter(known)) {
    if (probe.source[key] === source[key]) continue;
    throw new SepError(
      "probe-mismatch",
      `Probe was fitted on ${key} "${probe.source[key]}", this trace has "${source[key]}". Refit with \`sep train\`.`,
    );
  }
}
