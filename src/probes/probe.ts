import { SepError } from "../errors.ts";
import { logistic } from "../math/logistic.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { TracePosition } from "../tracing/positions.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import type { LayerScore, PenaltyScore, ProbeTarget } from "./select-layer.ts";

/** Everything about a probe but its weights; the content of its JSON file. */
export interface ProbeDescription {
  readonly kind: "logistic";
  /** What label 1 means: a higher score is always more uncertain. */
  readonly target: ProbeTarget;
  readonly features: "hidden-state" | "mean-think-entropy";
  /** null for a probe that reads no hidden state. */
  readonly position: TracePosition | null;
  /** 0 = embeddings, l = residual stream after block l; null for a probe that reads no hidden state. */
  readonly layer: number | null;
  readonly width: number;
  /** Provenance of the hidden states, as the trace wrote it: model, its hash, norm state. */
  readonly source: Readonly<Record<string, string>>;
  readonly C: number;
  readonly class_weight: ClassWeight;
  readonly intercept: number;
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
  /** Bound of the coefficients' relative error. */
  readonly relative_error: number;
}

/** A probe ready to score: P(label = 1) = logistic(((x - mean) / scale) · coefficients + intercept). */
export interface Probe extends ProbeDescription {
  readonly mean: Float32Array;
  readonly scale: Float32Array;
  readonly coefficients: Float32Array;
}

/**
 * Scores rows with a probe.
 * @param features [n, width] row-major
 * @returns [n] P(label = 1), in [0, 1]; higher is more uncertain; NaN where a feature is NaN
 * @throws SepError `probe-mismatch` if the features are not a whole number of rows of the probe's width
 */
export function scoreProbe(probe: Probe, features: Float32Array): Float64Array {
  const { width, mean, scale, coefficients, intercept } = probe;
  if (features.length % width !== 0) {
    throw new SepError(
      "probe-mismatch",
      `The probe reads rows of width ${width}, got ${features.length} numbers. Trace the model it was fitted on, or refit with \`sep train\`.`,
    );
  }
  return Float64Array.from({ length: features.length / width }, (_, row) => {
    let sum = intercept;
    for (let j = 0; j < width; j++) {
      sum += ((features[row * width + j]! - mean[j]!) / scale[j]!) * coefficients[j]!;
    }
    return logistic(sum);
  });
}

/**
 * Checks that a probe belongs to what it is about to score.
 * @throws SepError `probe-mismatch` naming what differs
 */
export function requireProbeFits(
  probe: ProbeDescription,
  { width, source }: { readonly width: number; readonly source: Readonly<Record<string, string>> },
): void {
  if (probe.width !== width) {
    throw new SepError(
      "probe-mismatch",
      `Probe expects width ${probe.width}, trace has ${width}. Refit with \`sep train\`.`,
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
