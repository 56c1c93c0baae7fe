import { rankedAuroc } from "../math/auroc.ts";
import { rankScores } from "../math/rank-scores.ts";
import { mean } from "../math/vector.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import { brierScore, expectedCalibrationError } from "./calibration.ts";
import {
  evaluateRejection,
  evaluateScore,
  FEW_QUESTIONS,
  type InferenceOptions,
  type RejectionEvaluation,
  type ScoreEvaluation,
} from "./evaluate-score.ts";
import type { ShuffledControl } from "./shuffled-control.ts";

/** One split's labels and scores. Every score: [n], higher = more uncertain, NaN where there is none. */
export interface SplitScores {
  readonly questionIds: readonly string[];
  /** [n] 1 = the answer is wrong. */
  readonly incorrect: Uint8Array;
  /** [n] 1 = semantic entropy above the threshold; rows without semantic entropy are NaN in `semanticEntropy`. */
  readonly highSemanticEntropy: Uint8Array;
  /** P(incorrect) */
  readonly accuracyProbe: Float64Array;
  /** P(high semantic entropy) */
  readonly seProbe: Float64Array;
  /** P(incorrect) */
  readonly entropyBaseline: Float64Array;
  /** nats, by likelihood */
  readonly semanticEntropy: Float64Array;
  /** nats, by counts */
  readonly discreteSemanticEntropy: Float64Array;
}

/** Names of the scores that are held against incorrectness. */
export const SCORE_NAMES = [
  "accuracy_probe",
  "se_probe",
  "entropy_baseline",
  "semantic_entropy",
  "discrete_semantic_entropy",
] as const;
export type ScoreName = (typeof SCORE_NAMES)[number];

/** How good probabilities are as such. */
interface CalibrationEvaluation {
  readonly ece: number;
  readonly brier: number;
}

/**
 * One split of `probe_eval.json`. Label 1 is incorrect and a higher score more uncertain, except `mean_conf_acc_*` and
 * `tau_answer`, which keep their old meaning: the probability of being *correct*.
 */
export interface SplitEvaluation {
  readonly auc_accuracy_probe: number | null;
  readonly auc_se_probe: number | null;
  readonly auc_entropy_baseline: number | null;
  /** Semantic entropy itself as the score: what the SE probe approximates without sampling. */
  readonly auc_semantic_entropy: number | null;
  readonly auc_discrete_semantic_entropy: number | null;
  /** The SE probe against its own labels. */
  readonly auc_se_probe_high_se: number | null;
  readonly auprc_accuracy_probe: number | null;
  readonly auprc_se_probe: number | null;
  readonly auprc_entropy_baseline: number | null;
  readonly auprc_semantic_entropy: number | null;
  readonly auprc_discrete_semantic_entropy: number | null;
  readonly auprc_se_probe_high_se: number | null;
  readonly p_value_auc_accuracy: number | null;
  readonly p_value_auc_se: number | null;
  readonly p_value_auc_entropy: number | null;
  readonly p_value_auc_se_high_se: number | null;
  /** The accuracy probe's mean P(correct) among answers that are correct. */
  readonly mean_conf_acc_correct: number | null;
  /** The same among answers that are not. */
  readonly mean_conf_acc_incorrect: number | null;
  /** Answer if P(correct) >= this; chosen on `math_val` by Youden's J. */
  readonly tau_answer: number | null;
  /** Share of rows answered at `tau_answer`, and the accuracy among them. */
  readonly coverage_at_tau: number | null;
  readonly accuracy_at_tau: number | null;
  readonly counts: {
    readonly rows: number;
    readonly questions: number;
    readonly incorrect: number;
    readonly high_semantic_entropy: number;
  };
  /** Each score against incorrectness, and the SE probe against its own labels, with intervals and counts. */
  readonly scores: Readonly<Record<ScoreName | "se_probe_high_se", ScoreEvaluation>>;
  readonly rejection: Readonly<Record<ScoreName, RejectionEvaluation | null>>;
  /** The accuracy probe and the baseline against incorrectness, the SE probe against its own labels. */
  readonly calibration: Readonly<
    Record<"accuracy_probe" | "entropy_baseline" | "se_probe_high_se", CalibrationEvaluation | null>
  >;
  /** AUROC of the SE probe minus that of the accuracy probe, against incorrectness, on the same resamples. */
  readonly auc_difference_se_minus_accuracy: BootstrapResult | null;
  /** The accuracy probe refitted on shuffled labels: near 0.5 unless something leaks. */
  readonly shuffled_label_control: ShuffledControl | null;
  readonly warnings: readonly ManifestWarning[];
}

/**
 * Evaluates every score on one split.
 * @param tau     the accuracy probe's answer threshold on P(correct), chosen elsewhere; null if there is none
 * @param control made with {@link ShuffledControl}'s maker; null if not made
 */
export function evaluateSplit(
  split: SplitScores,
  {
    tau,
    control,
    ...inference
  }: { readonly tau: number | null; readonly control: ShuffledControl | null } & InferenceOptions,
): SplitEvaluation {
  const { questionIds, incorrect, highSemanticEntropy } = split;
  const questions = new Set(questionIds).size;
  const warnings: ManifestWarning[] = [];
  if (questions < FEW_QUESTIONS) {
    warnings.push({
      code: "few-questions",
      message: `${questions} questions: intervals and p-values of fewer than ${FEW_QUESTIONS} are rough. Add questions.`,
    });
  }
  const rate = (name: string, scores: Float64Array, labels: Uint8Array): ScoreEvaluation => {
    const { evaluation, warnings: own } = evaluateScore(name, scores, labels, questionIds, inference);
    warnings.push(...own);
    return evaluation;
  };
  const hasEntropy = (row: number): boolean => !Number.isNaN(split.discreteSemanticEntropy[row]);
  const seProbeWithLabel = split.seProbe.map((score, row) => (hasEntropy(row) ? score : Number.NaN));
  const scores = {
    accuracy_probe: rate("accuracy probe", split.accuracyProbe, incorrect),
    se_probe: rate("SE probe", split.seProbe, incorrect),
    entropy_baseline: rate("entropy baseline", split.entropyBaseline, incorrect),
    semantic_entropy: rate("semantic entropy", split.semanticEntropy, incorrect),
    discrete_semantic_entropy: rate("discrete semantic entropy", split.discreteSemanticEntropy, incorrect),
    se_probe_high_se: rate("SE probe against SE labels", seProbeWithLabel, highSemanticEntropy),
  };
  return {
    auc_accuracy_probe: scores.accuracy_probe.auc,
    auc_se_probe: scores.se_probe.auc,
    auc_entropy_baseline: scores.entropy_baseline.auc,
    auc_semantic_entropy: scores.semantic_entropy.auc,
    auc_discrete_semantic_entropy: scores.discrete_semantic_entropy.auc,
    auc_se_probe_high_se: scores.se_probe_high_se.auc,
    auprc_accuracy_probe: scores.accuracy_probe.auprc,
    auprc_se_probe: scores.se_probe.auprc,
    auprc_entropy_baseline: scores.entropy_baseline.auprc,
    auprc_semantic_entropy: scores.semantic_entropy.auprc,
    auprc_discrete_semantic_entropy: scores.discrete_semantic_entropy.auprc,
    auprc_se_probe_high_se: scores.se_probe_high_se.auprc,
    p_value_auc_accuracy: scores.accuracy_probe.permutation?.p_value ?? null,
    p_value_auc_se: scores.se_probe.permutation?.p_value ?? null,
    p_value_auc_entropy: scores.entropy_baseline.permutation?.p_value ?? null,
    p_value_auc_se_high_se: scores.se_probe_high_se.permutation?.p_value ?? null,
    mean_conf_acc_correct: meanConfidence(split, 0),
    mean_conf_acc_incorrect: meanConfidence(split, 1),
    ...answerAt(tau, split),
    counts: {
      rows: incorrect.length,
      questions,
      incorrect: count(incorrect),
      high_semantic_entropy: count(highSemanticEntropy),
    },
    scores,
    rejection: {
      accuracy_probe: evaluateRejection(split.accuracyProbe, incorrect),
      se_probe: evaluateRejection(split.seProbe, incorrect),
      entropy_baseline: evaluateRejection(split.entropyBaseline, incorrect),
      semantic_entropy: evaluateRejection(split.semanticEntropy, incorrect),
      discrete_semantic_entropy: evaluateRejection(split.discreteSemanticEntropy, incorrect),
    },
    calibration: {
      accuracy_probe: calibrate(split.accuracyProbe, incorrect),
      entropy_baseline: calibrate(split.entropyBaseline, incorrect),
      se_probe_high_se: calibrate(seProbeWithLabel, highSemanticEntropy),
    },
    auc_difference_se_minus_accuracy: compareProbes(split, inference),
    shuffled_label_control: control,
    warnings,
  };
}

const count = (labels: Uint8Array): number => labels.reduce((sum, label) => sum + label, 0);

function meanConfidence({ accuracyProbe, incorrect }: SplitScores, label: 0 | 1): number | null {
  const confidences = Array.from(accuracyProbe, (probability) => 1 - probability).filter(
    (confidence, row) => incorrect[row] === label && !Number.isNaN(confidence),
  );
  return confidences.length === 0 ? null : mean(confidences);
}

function answerAt(
  tau: number | null,
  { accuracyProbe, incorrect }: SplitScores,
): Pick<SplitEvaluation, "tau_answer" | "coverage_at_tau" | "accuracy_at_tau"> {
  if (tau === null || incorrect.length === 0) {
    return { tau_answer: tau, coverage_at_tau: null, accuracy_at_tau: null };
  }
  const answered = Array.from(incorrect).filter((_, row) => 1 - accuracyProbe[row]! >= tau);
  return {
    tau_answer: tau,
    coverage_at_tau: answered.length / incorrect.length,
    accuracy_at_tau: answered.length === 0 ? null : 1 - mean(answered),
  };
}

function calibrate(probabilities: Float64Array, labels: Uint8Array): CalibrationEvaluation | null {
  const rows = Array.from(probabilities.keys()).filter((row) => !Number.isNaN(probabilities[row]));
  if (rows.length === 0) return null;
  const own = rows.map((row) => probabilities[row]!);
  const ownLabels = rows.map((row) => labels[row]!);
  return { ece: expectedCalibrationError(own, ownLabels), brier: brierScore(own, ownLabels) };
}

function compareProbes(
  { accuracyProbe, seProbe, incorrect, questionIds }: SplitScores,
  { resamples, seed }: InferenceOptions,
): BootstrapResult | null {
  const wrong = count(incorrect);
  const missing = accuracyProbe.some(Number.isNaN) || seProbe.some(Number.isNaN);
  if (missing || wrong === 0 || wrong === incorrect.length) return null;
  const accuracy = rankScores(accuracyProbe);
  const se = rankScores(seProbe);
  return bootstrapInterval(
    questionIds,
    (weights) => rankedAuroc(se, incorrect, weights) - rankedAuroc(accuracy, incorrect, weights),
    { ...(resamples === undefined ? {} : { resamples }), ...(seed === undefined ? {} : { seed }) },
  );
}
