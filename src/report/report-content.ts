import type { SplitScores } from "../evaluation/evaluate-split.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import type { TransferEval } from "../evaluation/transfer-eval.ts";
import type { LayerScore } from "../probes/sweep/score-table.ts";
import type { HeldOutSplit } from "./figure.ts";

/** All that the report shows. */
export interface ReportContent {
  readonly evaluation: ProbeEval;
  /** The rows of `math_test`. */
  readonly testScores: SplitScores;
  /** Out-of-fold AUROC by position and layer, from training. */
  readonly layerScores: readonly LayerScore[];
  /** Discrete semantic entropy of every question of the first set, nats. */
  readonly entropies: readonly number[];
  /** Of each held-out split, most uncertain first. */
  readonly questions: Readonly<Partial<Record<HeldOutSplit, readonly ReportQuestion[]>>>;
  /** A comparison with other data sets; null if there is none. */
  readonly transfer: TransferEval | null;
  /** Name and value of each setting and origin. */
  readonly settings: readonly (readonly [string, string])[];
}

/** A question with its sampled answers clustered by meaning. */
export interface ReportQuestion {
  readonly id: string;
  readonly question: string;
  readonly reference: string | null;
  /** nats */
  readonly semanticEntropy: number;
  /** Mean over its samples of the accuracy probe's P(incorrect), and of the SE probe's P(high SE); null if none. */
  readonly accuracyProbe: number | null;
  readonly seProbe: number | null;
  /** Largest first. */
  readonly clusters: readonly AnswerCluster[];
}

/** Samples that say the same. */
export interface AnswerCluster {
  readonly answer: string;
  readonly sampleCount: number;
  readonly correctCount: number;
  /** One sample's whole output. */
  readonly example: string;
}
