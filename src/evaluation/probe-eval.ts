import type { RowLabel } from "../probes/unit-labels.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import type { Audit } from "./audit.ts";
import type { UnitExample } from "./choose-examples.ts";
import type { CalibrationMaps } from "./evaluate-calibration.ts";
import type { DecisionEvaluation } from "./evaluate-decision.ts";
import type { SplitEvaluation } from "./evaluate-split.ts";
import type { UnitEvaluation } from "./evaluate-units.ts";

/** What identifies a probe in an evaluation. */
export interface ProbeSummary {
  readonly position: string | null;
  readonly layer: number | null;
  readonly C: number;
  readonly training_rows: number;
  readonly training_questions: number;
  /** Out-of-fold AUROC within the training questions, at the chosen layer and C. */
  readonly cv_auc: number | null;
}

/** How many questions a probe finds unlike its training questions. */
export interface FamiliarityEvaluation {
  /** A p-value of at most this is unfamiliar: about this share of questions of the training kind is. */
  readonly level: number;
  /** The p-values compare with the distances of these; their split itself is not counted. */
  readonly validation_questions: number;
  readonly splits: Readonly<Partial<Record<EvaluatedSplit, UnfamiliarCount>>>;
}

export interface UnfamiliarCount {
  /** Those with a state where the probe reads. */
  readonly question_count: number;
  readonly unfamiliar_count: number;
  /** null without questions */
  readonly unfamiliar_share: number | null;
}

/** Content of `artifacts/models/probe_eval.json`: one key per split, as in older files, then how it was computed. */
export interface ProbeEval {
  readonly math_val: SplitEvaluation;
  readonly math_test: SplitEvaluation;
  /** Absent where there is no second question set. */
  readonly ood_test?: SplitEvaluation;
  readonly se_threshold: { readonly method: string; readonly threshold: number };
  /** null for a probe that could not be trained; a warning says why. */
  readonly probes: Readonly<Record<"accuracy_probe" | "se_probe" | "entropy_baseline", ProbeSummary | null>>;
  /** Provenance of the hidden states, as the trace wrote it. */
  readonly source: Readonly<Record<string, string>>;
  readonly settings: { readonly seed: number; readonly resamples: number; readonly permutations: number };
  /** The verdict and the checks behind it. */
  readonly audit: Audit;
  /**
   * Maps from each probe's scores to calibrated probabilities of its own label, fitted on `math_val`. Absent in files of
   * earlier versions, as is `decisions`.
   */
  readonly calibration_maps?: Readonly<
    Record<"accuracy_probe" | "entropy_baseline" | "se_probe", CalibrationMaps>
  >;
  /** Thresholds chosen on `math_val`, and what they achieve on the other splits. */
  readonly decisions?: readonly DecisionEvaluation<EvaluatedSplit>[];
  /** Absent in files of earlier versions; null for a probe that cannot tell. */
  readonly familiarity?: Readonly<Record<"accuracy_probe" | "se_probe", FamiliarityEvaluation | null>>;
  /**
   * The accuracy probe on parts of answers, where the data sets' rows are such; absent where each row is a whole answer.
   * `math_val` is not among them, since thresholds were chosen on it.
   */
  readonly units?: {
    readonly label: RowLabel;
    readonly position: string;
    readonly splits: Readonly<Partial<Record<EvaluatedSplit, UnitEvaluation>>>;
    /** Of the test split; none where it has fewer than three answers of several rows. */
    readonly examples: readonly UnitExample[];
  };
  /** All warnings of training and evaluation, each with the split it is about. */
  readonly warnings: readonly ManifestWarning[];
}

/** Splits of a probe evaluation, in the order they are shown. */
export const EVALUATED_SPLITS = ["math_val", "math_test", "ood_test"] as const;
export type EvaluatedSplit = (typeof EVALUATED_SPLITS)[number];

/** Splits whose results count; the others chose thresholds or were trained on. */
export const HELD_OUT_SPLITS = ["math_test", "ood_test"] as const;
export type HeldOutSplit = (typeof HELD_OUT_SPLITS)[number];
