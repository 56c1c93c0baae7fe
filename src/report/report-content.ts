import type { SplitScores } from "../evaluation/evaluate-split.ts";
import type { EvaluatedSplit, ProbeEval } from "../evaluation/probe-eval.ts";
import type { LayerScore } from "../probes/select-layer.ts";

/** All that the report shows. */
export interface ReportContent {
  readonly evaluation: ProbeEval;
  /** The rows behind each evaluated split, for its curves. */
  readonly scores: Readonly<Partial<Record<EvaluatedSplit, SplitScores>>>;
  /** Out-of-fold AUROC by position and layer, from training. */
  readonly layerScores: readonly LayerScore[];
  /** Discrete semantic entropy of every question of the first set, nats. */
  readonly entropies: readonly number[];
  /** Most uncertain first. */
  readonly uncertainQuestions: readonly UncertainQuestion[];
  /** Name and value of each setting and origin. */
  readonly settings: readonly (readonly [string, string])[];
}

/** A question with its sampled answers grouped by meaning. */
export interface UncertainQuestion {
  readonly id: string;
  readonly question: string;
  readonly reference: string | null;
  /** nats */
  readonly semanticEntropy: number;
  /** Mean over its samples of the accuracy probe's P(incorrect), and of the SE probe's P(high SE); null if none. */
  readonly accuracyProbe: number | null;
  readonly seProbe: number | null;
  /** Largest first. */
  readonly groups: readonly AnswerGroup[];
}

/** Samples that say the same. */
export interface AnswerGroup {
  readonly answer: string;
  readonly sampleCount: number;
  readonly correctCount: number;
  /** One sample's whole output. */
  readonly example: string;
}
