import type { ManifestWarning } from "../store/manifest.ts";
import type { BootstrapResult, ConfidenceInterval } from "./bootstrap-interval.ts";

/** The probes that are compared. */
export const TRANSFER_PROBES = ["se_probe", "accuracy_probe"] as const;
export type TransferProbe = (typeof TRANSFER_PROBES)[number];
export const TRANSFER_PROBE_TITLES: Readonly<Record<TransferProbe, string>> = {
  se_probe: "SE probe",
  accuracy_probe: "Accuracy probe",
};

/** Scores that need no training, so the source does not matter. */
export const UNTRAINED_SCORES = [
  "semantic_entropy",
  "discrete_semantic_entropy",
  "mean_think_entropy",
] as const;
export type UntrainedScore = (typeof UNTRAINED_SCORES)[number];

/** One data set: a question set of a finished workspace. */
export interface TransferDataset {
  readonly name: string;
  /** The workspace's folder. */
  readonly workspace: string;
  readonly set: string;
  readonly train_questions: number;
  readonly train_rows: number;
  readonly test_questions: number;
  readonly test_rows: number;
  /** Share of wrong answers among the test rows. */
  readonly test_incorrect_share: number;
}

/** How well a score finds wrong answers of one data set's test questions. */
export interface TransferArea {
  /** null where there is no score, or one class. */
  readonly auc: number | null;
  readonly auc_intervals: readonly ConfidenceInterval[];
}

/** Probes trained on one data set, or on all except the target, evaluated on the target's test questions. */
export interface TransferCell {
  /** What they were trained on: a data set, or null for all but the target. */
  readonly source: string | null;
  readonly target: string;
  readonly se_probe: TransferArea;
  readonly accuracy_probe: TransferArea;
  /** SE probe minus accuracy probe on the same rows and resamples; null where one of them is missing. */
  readonly difference: {
    readonly auc_difference: BootstrapResult;
    readonly p_value: number | null;
    /** After Holm's correction for all cells of the file. */
    readonly p_value_holm: number | null;
  } | null;
}

/** A mean of AUROCs, all on the same resamples. */
export interface TransferMean {
  /** How many AUROCs are averaged. */
  readonly count: number;
  /** null where there is none. */
  readonly se_probe: BootstrapResult | null;
  readonly accuracy_probe: BootstrapResult | null;
  /** SE probe minus accuracy probe. */
  readonly difference: BootstrapResult | null;
}

/** {@link TransferMean} over data sets. */
export interface OverallMean extends TransferMean {
  /** Of the difference: standard deviation over targets, divided by the square root of their number. */
  readonly standard_error_over_datasets: number | null;
}

/** How probes were trained for a comparison. */
export const TRANSFER_SETTINGS = ["in_distribution", "single_source", "leave_one_out"] as const;
export type TransferSetting = (typeof TRANSFER_SETTINGS)[number];

/** A probe as it was trained. */
export interface TransferTraining {
  readonly source: string | null;
  /** The data set left out of a pooled training; null for a single source. */
  readonly left_out: string | null;
  readonly layer: number | null;
  readonly C: number | null;
  /** Out-of-fold AUROC within the training questions, against the probe's own label. */
  readonly cv_auc: number | null;
  readonly training_rows: number;
  readonly training_questions: number;
}

/** Content of `transfer.json`. AUROCs are against incorrectness, whatever the probe was trained on. */
export interface TransferEval {
  readonly datasets: readonly TransferDataset[];
  readonly position: string;
  readonly training: Readonly<Record<TransferProbe, readonly TransferTraining[]>>;
  /** Every source with every target, in order; a source on itself is in distribution, on its own test questions. */
  readonly matrix: readonly TransferCell[];
  /** All data sets but the target pooled; empty with fewer than three data sets. */
  readonly leave_one_out: readonly TransferCell[];
  readonly untrained: readonly (Readonly<Record<UntrainedScore, TransferArea>> & {
    readonly target: string;
  })[];
  /** By target: the probe of the data set itself, the mean over all other single sources, and all others pooled. */
  readonly by_target: readonly (Readonly<Record<TransferSetting, TransferMean | null>> & {
    readonly target: string;
  })[];
  /** Means over targets, each target counting the same; null where a target has none. */
  readonly overall: Readonly<Record<TransferSetting, OverallMean | null>>;
  readonly source: Readonly<Record<string, string>>;
  readonly settings: { readonly seed: number; readonly resamples: number; readonly permutations: number };
  readonly warnings: readonly ManifestWarning[];
}
