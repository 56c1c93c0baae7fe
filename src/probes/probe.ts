import { SepError } from "../errors.ts";
import { logistic } from "../math/logistic.ts";
import type { SamplerSettings } from "../sampling/sampler-settings.ts";
import type { Json } from "../store/json.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { TracePosition } from "../tracing/positions.ts";
import type { Calibration } from "./calibrate-scores.ts";
import type { CalibrationMap } from "./calibration-map.ts";
import type { DecisionTarget, ThresholdChoice } from "./choose-decision-threshold.ts";
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
  /**
   * From the score to a calibrated P(label 1), fitted on validation questions that the probe was not fitted on; null
   * where the score does not rise with the label there, or one class is all there is.
   */
  readonly calibration_map: CalibrationMap | null;
  /** When to answer, chosen on the same questions: a threshold for each target, or why there is none. */
  readonly decisions: readonly ProbeDecision[];
  /** How the model was asked; null where the runs do not say, being of another tool. */
  readonly asking: AskingRecord | null;
  readonly warnings: readonly ManifestWarning[];
}

/** What was asked of a decision, and the threshold that promises it or the reason why none does. */
export type ProbeDecision = DecisionTarget & ThresholdChoice;

/** What of the model's input, beside the question, decides its hidden states; as the generate step recorded it. */
export interface AskingRecord {
  /** A format's name, or for few-shot prompts and templates a hash of their text. */
  readonly prompt_format: Json;
  readonly system_prompt: string | null;
  readonly enable_thinking: boolean | null;
  /** How the answers were drawn that the probe was fitted and calibrated on. */
  readonly sampler: SamplerSettings;
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

/** Stands in for a probe that could not be trained, with the reason. */
export interface UntrainedProbe {
  readonly kind: "untrained";
  readonly target: ProbeTarget;
  readonly warnings: readonly ManifestWarning[];
}

/** A probe ready to score: P(label = 1) = logistic(score). */
export interface Probe extends ProbeDescription, ProbeWeights {}

/**
 * Scores rows with a probe.
 * @param features [n, width] row-major: one vector, or a matrix
 * @returns [n] P(label = 1), in [0, 1]; higher is more uncertain; NaN where a feature is NaN
 * @throws SepError `probe-mismatch` if the features are not a whole number of rows of the probe's width
 */
export function scoreProbe(probe: Probe, features: ArrayLike<number>): Float64Array {
  const { width } = probe;
  if (features.length % width !== 0) {
    throw new SepError(
      "probe-mismatch",
      `The probe reads rows of width ${width}, got ${features.length} numbers. Trace the model it was fitted on, or refit with \`sep train\`.`,
    );
  }
  return scoreRows(probe, features).map(logistic);
}

/** Where features come from, as far as it is known. */
export interface FeatureOrigin {
  /** Of one layer. */
  readonly width: number;
  /** As a trace has it: `weights_sha256`, `tokenizer_sha256`, `norm_state`, … What is missing is not checked. */
  readonly source: Readonly<Record<string, string>>;
  /** Where they were read, if that is not chosen by the probe. */
  readonly position?: TracePosition;
  readonly layer?: number;
}

/**
 * Checks that a probe belongs to what it is about to score.
 * @throws SepError `probe-mismatch` naming what differs
 */
export function requireProbeFits(
  probe: ProbeDescription,
  { width, source, position, layer }: FeatureOrigin,
): void {
  const refuse = (message: string): never => {
    throw new SepError("probe-mismatch", `${message} Refit with \`sep train\`.`);
  };
  const expected = probe.width / probe.layer_count;
  if (expected !== width) refuse(`Probe expects width ${expected}, trace has ${width}.`);
  const known = (key: string): boolean => probe.source[key] !== undefined && source[key] !== undefined;
  // The same weights may go by two names, so the name only counts where there is no hash.
  const identity = known("weights_sha256") ? "weights_sha256" : "model";
  for (const key of [identity, "tokenizer_sha256", "dtype", "norm_state", "indices"].filter(known)) {
    if (probe.source[key] !== source[key])
      refuse(`Probe was fitted on ${key} "${probe.source[key]}", this trace has "${source[key]}".`);
  }
  if (position !== undefined && position !== probe.position)
    refuse(`Probe reads position "${probe.position}", these states are of "${position}".`);
  if (layer !== undefined && layer !== probe.layer)
    refuse(`Probe reads layer ${probe.layer}, these states are of layer ${layer}.`);
}
