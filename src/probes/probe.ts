import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import type { TracePosition } from "../engine/places.ts";
import type { Json } from "../formats/json.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { Calibration, CalibrationMap } from "./calibration.ts";
import type { DecisionTarget, ThresholdChoice } from "./choose-decision-threshold.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import type { SpanPooling } from "./pooling.ts";
import type { ProbeKind, ProbeWeights } from "./probe-weights.ts";
import type { ChainLabel, RowLabel } from "./unit-labels.ts";

/** What the probes of a study predict. */
export type ProbeTarget = "incorrect" | "high-semantic-entropy";

/** Everything about a probe but its weights; the content of its JSON file. */
export interface ProbeDescription {
  readonly kind: ProbeKind;
  /** What label 1 means: a higher score is always more uncertain. */
  readonly target: ProbeTarget;
  /** Of target `incorrect`: what is wrong where label 1 is; without it, the answer. */
  readonly label?: RowLabel | ChainLabel;
  /** Above it, what was measured of a part of an answer counts as uncertain; see `UnitValue`. */
  readonly label_threshold?: number;
  /** `token-states`: those of all tokens of a span, pooled. */
  readonly features: "hidden-state" | "token-states" | "mean-think-entropy";
  /**
   * null for a probe that reads no hidden state. Of one that pools, what its spans are: `every-token` is the whole answer.
   */
  readonly position: TracePosition | null;
  /** How the tokens of a span become one score; without it, the probe reads one token. */
  readonly pooling?: SpanPooling;
  /**
   * 0 = embeddings, l = residual stream after block l, the first one of a window; null for a probe that reads no
   * hidden state.
   */
  readonly layer: number | null;
  /** Layers read from `layer` on, concatenated. */
  readonly layer_count: number;
  /** Numbers read: the model's width times the number of layers. */
  readonly width: number;
  /** Provenance of the hidden states, as the trace wrote it: model, its hash, norm state. */
  readonly source: Readonly<Record<string, string>>;
  /** 0 for a mean difference, which has no penalty. */
  readonly C: number;
  readonly class_weight: ClassWeight;
  readonly training: ProbeTraining;
  /**
   * From the score to a calibrated P(label 1), fitted on validation questions that the probe was not fitted on; null
   * where the score does not increase with the label there, or there is only one class.
   */
  readonly calibration_map: CalibrationMap | null;
  /** [9] the deciles of the score on those questions, ascending: what scores to expect; null without validation scores. */
  readonly score_deciles: readonly number[] | null;
  /** When to answer, chosen on the same questions: a threshold for each target, or why there is none. */
  readonly decisions: readonly ProbeDecision[];
  /** How the answers were generated; null for imported runs that do not say. */
  readonly asking: GenerationConfig | null;
  readonly warnings: readonly ManifestWarning[];
}

/** The target of a decision, and the threshold that guarantees it or the reason why none does. */
export type ProbeDecision = DecisionTarget & ThresholdChoice;

/** What determines the model's hidden states besides the question, as the generate step recorded it. */
export interface GenerationConfig {
  /** A format's name, or for few-shot prompts and templates a hash of their text. */
  readonly prompt_format: Json;
  readonly system_prompt: string | null;
  readonly enable_thinking: boolean | null;
  /** How the answers that the probe was fitted and calibrated on were sampled. */
  readonly sampler: SamplerSettings;
}

/** How a probe came to be. */
export interface ProbeTraining {
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
  /** Bound of the coefficients' relative error; null for kinds without an optimum. */
  readonly relative_error: number | null;
  /** How the fit ended, of a probe whose loss may have several minima. */
  readonly optimisation?: Optimisation;
  /** What turned the kind's own score into log odds; null for kinds whose score already is. */
  readonly calibration: Calibration | null;
  /** How well the whole procedure, including its choices, does on unseen questions; null if not requested. */
  readonly nested: { readonly auroc: number | null; readonly folds: readonly NestedFold[] } | null;
  /** null if not requested. */
  readonly permutation: PermutationEstimate | null;
}

/** How a minimisation ended. */
export interface Optimisation {
  readonly method: "l-bfgs";
  /** Passes over the training spans, of the last stage. */
  readonly evaluations: number;
  /** Euclidean norm of the loss's gradient over that of the weights, there. */
  readonly relative_gradient: number;
}

/** How well each target can be read at one position and layer, out of fold, at the best penalty there. */
export interface LayerScore<Target extends string = ProbeTarget> {
  /** With how its tokens are pooled, if they are: `every-token:max`. */
  readonly position: string;
  /** The first, for a window of layers. */
  readonly layer: number;
  readonly row_count: number;
  /** Features that are the same in every row: all of them at a token that is always the same, in layer 0. */
  readonly constant_features: number;
  /** Mean over folds; null where a target has one class. */
  readonly auroc: Readonly<Record<Target, number | null>>;
}

/** One tried penalty. */
export interface PenaltyScore {
  readonly C: number;
  readonly auroc: number | null;
}

/** What was chosen without one outer fold, and its score there. */
export interface NestedFold {
  readonly position: string | null;
  readonly layer: number | null;
  readonly C: number | null;
  /** Above it a value counts as high; null for a target that has labels. */
  readonly threshold: number | null;
  readonly auroc: number | null;
}

/** What a permutation test with refitting found. */
export interface PermutationEstimate {
  readonly permutations: number;
  /** How labels were permuted; see `LabelPermuter`. */
  readonly scheme: "question-labels" | "equal-blocks";
  /** Questions whose labels can change places; below 2 nothing is tested. */
  readonly exchangeable_questions: number;
  /** Of the chosen position, layer and penalty, as if they had been fixed beforehand; null if nothing can be tested. */
  readonly chosen: PermutationTest | null;
  /**
   * Of the best of all positions and layers that could have been chosen, each permutation taking its own best; by
   * ridge probes (or mean differences, if those are asked for) at one penalty.
   */
  readonly best_of_all: PermutationTest | null;
}

/** An AUROC against those of probes refitted on permuted labels. */
export interface PermutationTest {
  /** Mean over folds of the AUROC within the fold. */
  readonly auroc: number;
  /** (1 + #{permuted >= observed}) / (1 + permutations) */
  readonly p_value: number;
  /** 5%, 50% and 95% of the permuted AUROCs. */
  readonly null_quantiles: readonly [number, number, number];
}

/** Stands in for a probe that could not be trained, with the reason. */
export interface UntrainedProbe {
  readonly kind: "untrained";
  readonly target: ProbeTarget;
  readonly warnings: readonly ManifestWarning[];
}

/** A probe ready to score: P(label = 1) = logistic(score). */
export interface Probe extends ProbeDescription, ProbeWeights {
  /** What its training states were like; null where it reads none, or there were too few questions. */
  readonly familiarity: Familiarity | null;
}

/**
 * What the states were like that a probe was fitted on, and how far those of other questions lie from them. Lengths are
 * in units of the probe's own scaler, z = (x - mean) / scale.
 */
export interface Familiarity {
  /** [width] mean of the training states' z */
  readonly centre: Float32Array;
  /** [k, width] orthonormal directions in which they differ most */
  readonly directions: Float32Array;
  /** [k] shrunk variances along them */
  readonly variances: Float32Array;
  /** Mean variance along any other direction. */
  readonly residual_variance: number;
  /** How far the variances were drawn towards their mean, in [0, 1]. */
  readonly shrinkage: number;
  readonly training_questions: number;
  /** [n] ascending, of questions that nothing was fitted on: one state each */
  readonly distances: Float32Array;
  /** A p-value of at most this is unfamiliar. */
  readonly level: number;
}

/** A probe's JSON file but for its format and the name of its weights: everything that is not an array. */
export interface DescribedProbe extends ProbeDescription {
  readonly intercept: number;
  readonly familiarity:
    | (Pick<Familiarity, "level" | "residual_variance" | "shrinkage" | "training_questions"> & {
        readonly validation_questions: number;
      })
    | null;
}
