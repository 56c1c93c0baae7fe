import { logit } from "../math/logistic.ts";
import { mean } from "../math/vector.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { type AddedValue, measureAddedValue } from "./added-value.ts";
import type { BootstrapResult } from "./bootstrap-interval.ts";
import { compareScores, type PairedComparison } from "./compare-scores.ts";
import {
  type CommonAnswer,
  type ConsistentlyWrong,
  countEntropies,
  type EntropyBin,
  findConsistentlyWrong,
} from "./consistently-wrong.ts";
import type { ConstantControl, ShuffledControl } from "./controls.ts";
import { evaluatePower, type PowerEvaluation } from "./detectable-auroc.ts";
import {
  type CalibrationEvaluation,
  type CalibrationMaps,
  evaluateCalibration,
} from "./evaluate-calibration.ts";
import {
  evaluateScore,
  FEW_QUESTIONS,
  type InferenceOptions,
  type ScoreEvaluation,
} from "./evaluate-score.ts";
import { evaluateRejection, type RejectionEvaluation } from "./rejection.ts";
import { evaluateCurves, type ScoreCurves } from "./score-curves.ts";
import {
  COMBINED_NAMES,
  type ProbeMoments,
  type ProbeName,
  SCORE_INFO,
  SCORE_NAMES,
  type ScoreName,
  STUDY_SCORE_NAMES,
} from "./score-names.ts";

/** One split's labels and scores. */
export interface SplitScores<Name extends ScoreName = ScoreName> {
  readonly questionIds: readonly string[];
  /** [n] what counts as one question where questions must be independent: duplicates share a group. */
  readonly questionGroups: readonly string[];
  /** [n] 1 = the answer is wrong. */
  readonly incorrect: Uint8Array;
  /** [n] 1 = semantic entropy above the threshold; rows without semantic entropy are NaN in that score. */
  readonly highSemanticEntropy: Uint8Array;
  /**
   * [n] each, higher = more uncertain, NaN where there is none. The accuracy probe and the entropy baseline are P(incorrect), the SE
   * probe is P(high semantic entropy), entropies and log-likelihoods are nats, texts and combinations are log odds.
   */
  readonly byName: Readonly<Record<Name, Float64Array>>;
}

/** The probabilities evaluated against the labels they predict. */
export const CALIBRATED_NAMES = ["accuracy_probe", "entropy_baseline", "se_probe_high_se"] as const;
export type CalibratedName = (typeof CALIBRATED_NAMES)[number];

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
  readonly calibration: Readonly<Record<CalibratedName, CalibrationEvaluation | null>>;
  /** AUROC of the SE probe minus that of the accuracy probe, against incorrectness, on the same resamples. */
  readonly auc_difference_se_minus_accuracy: BootstrapResult | null;
  /** The accuracy probe refitted on shuffled labels: near 0.5 unless something leaks. */
  readonly shuffled_label_control: ShuffledControl | null;
  /** How an accuracy probe does on uninformative features. */
  readonly constant_feature_control: ConstantControl | null;
  /** Each probe against every other score, with Holm's correction for the comparisons of that probe. */
  readonly paired_comparisons: readonly PairedComparison<ScoreName>[];
  /** The smallest AUROC against incorrectness that this many questions would show; null with one class. */
  readonly power: PowerEvaluation | null;
  /** ROC, precision-recall and risk-coverage curves with bands; null where only one class has the score. */
  readonly curves: Readonly<Record<ScoreName | "se_probe_high_se", ScoreCurves | null>>;
  /**
   * What each probe adds to the scores that are known by then without hidden states or further samples; null where there is no
   * such probe, or nothing to tell apart.
   */
  readonly added_value: Readonly<Record<ProbeName, AddedValue | null>>;
  readonly entropy_histogram: readonly EntropyBin[];
  /** What semantic entropy cannot see. */
  readonly consistently_wrong: ConsistentlyWrong;
  readonly warnings: readonly ManifestWarning[];
}

/** What else the evaluation of a split includes. */
interface EvaluateSplitOptions extends InferenceOptions {
  /** The accuracy probe's answer threshold on P(correct); null if there is none. */
  readonly tau: number | null;
  /** null if not run. */
  readonly control: ShuffledControl | null;
  /** When each probe is known. */
  readonly moments: ProbeMoments;
  readonly constantControl?: ConstantControl | null;
  /** Fitted on other rows than the split's; none by default. */
  readonly maps?: Readonly<Record<CalibratedName, CalibrationMaps>>;
  /** What the samples of each question mostly say, as far as known. */
  readonly answers?: ReadonlyMap<string, CommonAnswer>;
}

/** Evaluates every score on one split. */
export function evaluateSplit(
  split: SplitScores,
  {
    tau,
    control,
    moments,
    constantControl = null,
    maps = NO_MAPS,
    answers = new Map(),
    ...inference
  }: EvaluateSplitOptions,
): SplitEvaluation {
  const { questionIds, questionGroups, incorrect, highSemanticEntropy } = split;
  const questions = new Set(questionGroups).size;
  const warnings: ManifestWarning[] = [];
  if (questions < FEW_QUESTIONS) {
    warnings.push({
      code: "few-questions",
      message: `${questions} ${nounOf(questions, questionIds)}: intervals and p-values from fewer than ${FEW_QUESTIONS} are rough. Add questions.`,
    });
  }
  const rate = (name: string, scores: Float64Array, labels: Uint8Array): ScoreEvaluation => {
    const { evaluation, warnings: own } = evaluateScore(name, scores, labels, questionGroups, inference);
    warnings.push(...own);
    return evaluation;
  };
  const own = split.byName;
  const seProbeWithLabel = own.se_probe.map((score, row) =>
    Number.isNaN(own.discrete_semantic_entropy[row]) ? Number.NaN : score,
  );
  const rateOwn = (name: ScoreName): ScoreEvaluation => {
    const { evaluation, warnings: found } = evaluateScore(
      SCORE_INFO[name].phrase.replace(/^the /, ""),
      own[name],
      incorrect,
      questionGroups,
      inference,
    );
    warnings.push(...found.filter(({ code }) => EXPECTED.has(name) || code === "tied-scores"));
    return evaluation;
  };
  const scores = {
    ...byScore(rateOwn),
    se_probe_high_se: rate("SE probe against SE labels", seProbeWithLabel, highSemanticEntropy),
  };
  const comparisons = compareProbes(split, moments, inference);
  const power = evaluatePower(incorrect, questionGroups);
  if (power !== null && isWeak(power))
    warnings.push(describeWeakness(power, questions, nounOf(questions, questionIds)));
  const draw = (values: Float64Array, labels: Uint8Array): ScoreCurves | null =>
    evaluateCurves(values, labels, questionGroups, inference);
  const calibrate = (
    values: Float64Array,
    labels: Uint8Array,
    own: CalibrationMaps,
  ): CalibrationEvaluation | null => evaluateCalibration(values, labels, questionGroups, own, inference);
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
      questions: new Set(questionIds).size,
      incorrect: count(incorrect),
      high_semantic_entropy: count(highSemanticEntropy),
    },
    scores,
    rejection: byScore((name) => evaluateRejection(own[name], incorrect)),
    calibration: {
      accuracy_probe: calibrate(own.accuracy_probe, incorrect, maps.accuracy_probe),
      entropy_baseline: calibrate(own.entropy_baseline, incorrect, maps.entropy_baseline),
      se_probe_high_se: calibrate(seProbeWithLabel, highSemanticEntropy, maps.se_probe_high_se),
    },
    auc_difference_se_minus_accuracy:
      comparisons.find(({ first, second }) => first === "se_probe" && second === "accuracy_probe")
        ?.auc_difference ?? null,
    shuffled_label_control: control,
    constant_feature_control: constantControl,
    paired_comparisons: comparisons,
    power,
    curves: {
      ...byScore((name) => draw(own[name], incorrect)),
      se_probe_high_se: draw(seProbeWithLabel, highSemanticEntropy),
    },
    added_value: {
      accuracy_probe: addedTo("accuracy_probe", split, moments, inference),
      se_probe: addedTo("se_probe", split, moments, inference),
    },
    entropy_histogram: countEntropies(own.discrete_semantic_entropy, incorrect, questionIds),
    consistently_wrong: findConsistentlyWrong(split, answers, inference),
    warnings,
  };
}

/** Their absence is a warning; that of the others depends on what is known of the answers. */
const EXPECTED: ReadonlySet<ScoreName> = new Set(STUDY_SCORE_NAMES);

const byScore = <T>(compute: (name: ScoreName) => T): Record<ScoreName, T> =>
  Object.fromEntries(SCORE_NAMES.map((name) => [name, compute(name)])) as Record<ScoreName, T>;

/**
 * Each probe against every other score, the SE probe first; each pair once. Combinations that know less than the probe's own
 * are left out, since they would only weaken the correction.
 */
function compareProbes(
  { byName, incorrect, questionGroups }: SplitScores,
  moments: ProbeMoments,
  inference: InferenceOptions,
): PairedComparison<ScoreName>[] {
  const rivalsOf = (probe: ProbeName): ScoreName[] =>
    SCORE_NAMES.filter((name) => {
      const { kind, moment } = SCORE_INFO[name];
      return kind !== "probe" && (kind !== "combined" || moment === moments[probe] || moment === "after");
    });
  const compare = (probe: ProbeName, others: readonly ScoreName[]): PairedComparison<ScoreName>[] =>
    compareScores(probe, others, byName, incorrect, questionGroups, inference);
  return [
    ...compare("se_probe", ["accuracy_probe", ...rivalsOf("se_probe")]),
    ...compare("accuracy_probe", rivalsOf("accuracy_probe")),
  ];
}

/** Beyond the combination of what is known by then; beyond the share of wrong answers where there is none. */
function addedTo(
  probe: ProbeName,
  { byName, incorrect, questionGroups }: SplitScores,
  moments: ProbeMoments,
  inference: InferenceOptions,
): AddedValue | null {
  const combined = byName[COMBINED_NAMES[moments[probe]]];
  return measureAddedValue(
    combined.every(Number.isNaN) ? [] : [combined],
    byName[probe].map(logit),
    incorrect,
    questionGroups,
    inference,
  );
}

const count = (labels: Uint8Array): number => labels.reduce((sum, label) => sum + label, 0);

function meanConfidence({ byName, incorrect }: SplitScores, label: 0 | 1): number | null {
  const confidences = Array.from(byName.accuracy_probe, (probability) => 1 - probability).filter(
    (confidence, row) => incorrect[row] === label && !Number.isNaN(confidence),
  );
  return confidences.length === 0 ? null : mean(confidences);
}

function answerAt(
  tau: number | null,
  { byName, incorrect }: SplitScores,
): Pick<SplitEvaluation, "tau_answer" | "coverage_at_tau" | "accuracy_at_tau"> {
  if (tau === null || incorrect.length === 0) {
    return { tau_answer: tau, coverage_at_tau: null, accuracy_at_tau: null };
  }
  const answered = Array.from(incorrect).filter((_, row) => 1 - byName.accuracy_probe[row]! >= tau);
  return {
    tau_answer: tau,
    coverage_at_tau: answered.length / incorrect.length,
    accuracy_at_tau: answered.length === 0 ? null : 1 - mean(answered),
  };
}

const NO_MAP: CalibrationMaps = { platt: null, isotonic: null };
const NO_MAPS = { accuracy_probe: NO_MAP, entropy_baseline: NO_MAP, se_probe_high_se: NO_MAP };

/** An AUROC that published probes reach; if a split would often miss it, a null result says little. */
const NOTABLE_AUROC = 0.75;

const isWeak = ({ smallest_auc }: PowerEvaluation): boolean =>
  smallest_auc === null || smallest_auc > NOTABLE_AUROC;

/** "different questions" where some of the questions are duplicates. */
const nounOf = (groups: number, questionIds: readonly string[]): string =>
  groups === new Set(questionIds).size ? "questions" : "different questions";

function describeWeakness(
  { smallest_auc, power }: PowerEvaluation,
  questions: number,
  noun: string,
): ManifestWarning {
  const found = smallest_auc === null ? "no AUROC" : `only an AUROC of ${smallest_auc.toFixed(2)} or more`;
  const message = `${questions} ${noun} with these labels show ${found} in ${100 * power}% of studies, so a score that is not significant here may still be good. Add questions.`;
  return { code: "low-power", message };
}
