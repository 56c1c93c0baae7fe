import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import type { Json } from "../formats/json.ts";
import type { TracePosition } from "../states/positions.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { Calibration } from "./calibrate-scores.ts";
import type { CalibrationMap } from "./calibration-map.ts";
import type { DecisionTarget, ThresholdChoice } from "./choose-decision-threshold.ts";
import type { Familiarity } from "./familiarity.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import type { ProbeKind } from "./probe-kind.ts";
import type { ProbeWeights } from "./probe-weights.ts";
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
export interface Probe extends ProbeDescription, ProbeWeights {
  /** What its training states were like; null where it reads none, or too few questions were there to tell. */
  readonly familiarity: Familiarity | null;
}
