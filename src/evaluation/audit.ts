import { formatInterval, formatNumber, formatPEquation, formatPercent } from "../text/format-numbers.ts";
import {
  type AuditCheck,
  type AuditedStudy,
  capitalise,
  comparedWith,
  isBeaten,
  LEVEL,
  runChecks,
} from "./checks.ts";
import type { PairedComparison } from "./compare-scores.ts";
import { FEW_QUESTIONS } from "./evaluate-score.ts";
import { PROBE_NAMES, type ProbeMoments, type ProbeName, SCORE_INFO, type ScoreName } from "./score-names.ts";

/** What a study shows about its probe, in words. */
export interface Audit {
  /** The probe that the verdict is about: the better one at finding wrong answers on the validation questions. */
  readonly probe: ProbeName;
  readonly moments: ProbeMoments;
  /** Which score to use and why, in a few sentences; the first stands alone. */
  readonly verdict: readonly string[];
  readonly checks: readonly AuditCheck[];
  /** Held-out questions that are also training questions. */
  readonly shared_questions: readonly string[];
}

/**
 * Judges a study by its evaluation on questions that it has not seen. Rivals are named by their AUROC on the validation
 * questions, so that an interval of a difference on the test questions is not one of the largest of many; where some are shown to be
 * better than the probe, the best of these.
 */
export function auditStudy({
  moments,
  ...study
}: Omit<AuditedStudy, "probe" | "moment"> & { readonly moments: ProbeMoments }): Audit {
  const probe = PROBE_NAMES.reduce((best, name) =>
    validationAuc(study.validation, name) > validationAuc(study.validation, best) ? name : best,
  );
  const audited = { ...study, probe, moment: moments[probe] };
  return {
    probe,
    moments,
    verdict: giveVerdict(audited),
    checks: runChecks(audited),
    shared_questions: study.sharedQuestions,
  };
}

/** 0 where there is none. */
const validationAuc = ({ scores }: AuditedStudy["validation"], name: ScoreName): number =>
  scores[name].auc ?? 0;

function giveVerdict(study: AuditedStudy): string[] {
  const { probe, test } = study;
  const own = test.scores[probe];
  const name = SCORE_INFO[probe].phrase;
  if (own.auc === null) {
    if (own.row_count === 0) return [`No verdict: ${name} has no score for any test answer.`];
    const all = own.positive_count === 0 ? "right" : "wrong";
    return [`No verdict: all ${own.row_count} test answers are ${all}, so there is nothing to tell apart.`];
  }
  return [
    compareAtMoment(study),
    ...compareLater(study),
    ...describeAddition(study),
    ...(test.counts.questions < FEW_QUESTIONS
      ? [`With ${test.counts.questions} test questions this is a first look, not a result.`]
      : []),
  ];
}

/** The probe against scores that are known when it is. */
function compareAtMoment(study: AuditedStudy): string {
  const { probe, moment, test } = study;
  const name = SCORE_INFO[probe].phrase;
  const own = test.scores[probe];
  const rivals = comparedWith(test, probe, moment);
  const better = rivals.filter(isBeaten);
  if (better.length > 0) {
    const best = strongest(better, study);
    return `Use ${SCORE_INFO[best.second].phrase} instead: ${against(best, study, { first: "second" })}.`;
  }
  const shown = `AUROC ${formatNumber(own.auc, 2)} (95% ${formatInterval(own.auc_intervals)})`;
  if ((own.permutation?.p_value ?? 1) >= LEVEL)
    return `${capitalise(name)} cannot be told from chance on ${test.counts.questions} test questions: ${shown}.`;
  if (rivals.length === 0)
    return `${capitalise(name)} finds wrong answers, ${shown}; there is no score to compare it with.`;
  const best = strongest(rivals, study);
  const isBest = rivals.every(
    ({ auc_difference, p_value_holm }) => (p_value_holm ?? 1) < LEVEL && auc_difference.estimate > 0,
  );
  return isBest
    ? `${capitalise(name)} beats every score without hidden states. The strongest is ${SCORE_INFO[best.second].phrase}: ${against(best, study, { first: "first" })}.`
    : `${capitalise(name)} is not shown to differ from ${SCORE_INFO[best.second].phrase}: ${against(best, study, { first: "first" })}.`;
}

/** Better scores that come later, or need more of the model. */
function compareLater(study: AuditedStudy): string[] {
  const { probe, moment, test } = study;
  const known = new Set(comparedWith(test, probe, moment).map(({ second }) => second));
  const better = test.paired_comparisons.filter(
    (each) =>
      each.first === probe &&
      SCORE_INFO[each.second].kind !== "probe" &&
      !known.has(each.second) &&
      isBeaten(each),
  );
  const later = better.filter(({ second }) => SCORE_INFO[second].kind !== "sampling");
  const sampled = better.filter(({ second }) => SCORE_INFO[second].kind === "sampling");
  return [
    ...(later.length === 0
      ? []
      : [describeLater("Once the answer is written", strongest(later, study), study)]),
    ...(sampled.length === 0
      ? []
      : [describeLater("At the price of further samples", strongest(sampled, study), study)]),
  ];
}

const describeLater = (when: string, best: PairedComparison<ScoreName>, study: AuditedStudy): string =>
  `${when}, ${SCORE_INFO[best.second].phrase} is better: ${against(best, study, { first: "second" })}.`;

function describeAddition({ probe, moment, test }: AuditedStudy): string[] {
  const added = test.added_value[probe];
  if (added === null || added.p_value === null) return [];
  const p = formatPEquation(added.p_value, added.permutations);
  const others = `what is known ${BY[moment]} without hidden states`;
  return added.p_value < LEVEL && added.deviance_reduction > 0
    ? [
        `It adds to ${others}: together the AUROC is ${formatNumber(added.auc_with, 2)} instead of ${formatNumber(added.auc_without, 2)}, and the deviance ${formatPercent(added.deviance_reduction, 1)} lower (${p}).`,
      ]
    : [`To ${others}, it adds nothing that can be shown (${p}).`];
}

const BY = {
  before: "before generation",
  during: "once the reasoning is closed",
  after: "once the answer is written",
} as const;

const strongest = (
  comparisons: readonly PairedComparison<ScoreName>[],
  { validation }: AuditedStudy,
): PairedComparison<ScoreName> =>
  comparisons.reduce((best, each) =>
    validationAuc(validation, each.second) > validationAuc(validation, best.second) ? each : best,
  );

/** "AUROC 0.90 against 0.71, difference 0.19 (95% 0.08 to 0.32, p = 0.004)". */
function against(
  { first, second, auc_difference, p_value_holm }: PairedComparison<ScoreName>,
  { test }: AuditedStudy,
  { first: leads }: { readonly first: "first" | "second" },
): string {
  const order = leads === "first" ? [first, second] : [second, first];
  const [one, other] = order.map((name) => formatNumber(test.scores[name as ScoreName].auc, 2));
  const sign = leads === "first" ? 1 : -1;
  const intervals = auc_difference.intervals.map(({ level, low, high }) =>
    sign === 1 ? { level, low, high } : { level, low: -high, high: -low },
  );
  const p = p_value_holm === null ? "" : `; ${formatPEquation(p_value_holm, null)} after Holm's correction`;
  return `AUROC ${one} against ${other}, difference ${formatNumber(sign * auc_difference.estimate, 2)} (95% ${formatInterval(intervals)}${p})`;
}
