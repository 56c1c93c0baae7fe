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
import { type ProbeMoments, type ProbeName, SCORE_INFO, type ScoreName } from "./score-names.ts";

/** What a study shows about its probe, in words. */
export interface Audit {
  /** The probe that the verdict is about: the accuracy probe, unless the SE probe is shown to be better on validation. */
  readonly probe: ProbeName;
  readonly moments: ProbeMoments;
  /** The strongest score without hidden states that is known when the probe is; null if there is none. */
  readonly rival: ScoreName | null;
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
  const probe = chooseProbe(study.validation);
  const audited = { ...study, probe, moment: moments[probe] };
  return {
    probe,
    moments,
    rival: findRival(audited)?.second ?? null,
    verdict: giveVerdict(audited),
    checks: runChecks(audited),
    shared_questions: study.sharedQuestions,
  };
}

/** The accuracy probe is the one that learned what is asked; the SE probe, where that is missing or worse on validation. */
function chooseProbe({ scores, paired_comparisons }: AuditedStudy["validation"]): ProbeName {
  if (scores.accuracy_probe.row_count === 0) return "se_probe";
  const found = paired_comparisons.find(
    ({ first, second }) => first === "se_probe" && second === "accuracy_probe",
  );
  const isBetter = found !== undefined && found.auc_difference.estimate > 0 && (found.p_value ?? 1) < LEVEL;
  return isBetter ? "se_probe" : "accuracy_probe";
}

/** 0 where there is none. */
const validationAuc = ({ scores }: AuditedStudy["validation"], name: ScoreName): number =>
  scores[name].auc ?? 0;

function giveVerdict(study: AuditedStudy): string[] {
  const { probe, test, words } = study;
  const own = test.scores[probe];
  const name = SCORE_INFO[probe].phrase;
  if (own.auc === null) {
    if (own.row_count === 0) return [`No verdict: ${name} has no score on any test question.`];
    const [all, other] = own.positive_count === 0 ? [words.right, words.wrong] : [words.wrong, words.right];
    return [
      `No verdict: the test set has ${own.row_count} ${all} and no ${other}, so there is nothing to tell apart.`,
    ];
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
  const { probe, moment, test, words } = study;
  const name = SCORE_INFO[probe].phrase;
  const own = test.scores[probe];
  const rivals = comparedWith(test, probe, moment);
  const best = findRival(study);
  if (best !== null && isBeaten(best)) {
    return `Use ${SCORE_INFO[best.second].phrase} instead: ${against(best, study, "second")}.`;
  }
  const shown = `AUROC ${formatNumber(own.auc, 2)} (95% ${formatInterval(own.auc_intervals)})`;
  if ((own.permutation?.p_value ?? 1) >= LEVEL)
    return `${capitalise(name)} is not shown to be better than chance on ${test.counts.questions} test questions: ${shown}.`;
  if (best === null)
    return `${capitalise(name)} finds ${words.wrong}, ${shown}; there is no score to compare it with.`;
  const isBest = rivals.every(
    ({ auc_difference, p_value_holm }) => (p_value_holm ?? 1) < LEVEL && auc_difference.estimate > 0,
  );
  return isBest
    ? `${capitalise(name)} beats every score without hidden states that is known ${BY[moment]}. The strongest is ${SCORE_INFO[best.second].phrase}: ${against(best, study, "first")}.`
    : `${capitalise(name)} is not shown to differ from ${SCORE_INFO[best.second].phrase}: ${against(best, study, "first")}.`;
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
  const isSampled = ({ second }: PairedComparison<ScoreName>): boolean =>
    SCORE_INFO[second].kind === "sampling";
  return [
    describeLater(
      "once the answer is written",
      better.filter((each) => !isSampled(each)),
      study,
    ),
    describeLater("at the price of further samples or passes", better.filter(isSampled), study),
  ].flat();
}

function describeLater(
  when: string,
  better: readonly PairedComparison<ScoreName>[],
  study: AuditedStudy,
): string[] {
  if (better.length === 0) return [];
  const best = strongest(better, study);
  return [
    `${capitalise(SCORE_INFO[best.second].phrase)} is better ${when}: ${against(best, study, "second")}.`,
  ];
}

function describeAddition({ probe, moment, test }: AuditedStudy): string[] {
  const added = test.added_value[probe];
  if (added === null || added.p_value === null) return [];
  const p = formatPEquation(added.p_value, added.permutations);
  const others = `what is known without hidden states ${BY[moment]}`;
  return added.p_value < LEVEL && added.deviance_reduction > 0
    ? [
        `${capitalise(SCORE_INFO[probe].phrase)} adds to ${others}: together the AUROC is ${formatNumber(added.auc_with, 2)} instead of ${formatNumber(added.auc_without, 2)}, and the deviance ${formatPercent(added.deviance_reduction, 1)} lower (${p}).`,
      ]
    : [`${capitalise(SCORE_INFO[probe].phrase)} is not shown to add anything to ${others} (${p}).`];
}

const BY = {
  before: "before generation",
  during: "once the reasoning is closed",
  after: "once the answer is written",
} as const;

/** One that is shown to be better than the probe, if there is one. */
function findRival(study: AuditedStudy): PairedComparison<ScoreName> | null {
  const rivals = comparedWith(study.test, study.probe, study.moment);
  const better = rivals.filter(isBeaten);
  const candidates = better.length > 0 ? better : rivals;
  return candidates.length === 0 ? null : strongest(candidates, study);
}

const strongest = (
  comparisons: readonly PairedComparison<ScoreName>[],
  { validation }: AuditedStudy,
): PairedComparison<ScoreName> =>
  comparisons.reduce((best, each) =>
    validationAuc(validation, each.second) > validationAuc(validation, best.second) ? each : best,
  );

/** "AUROC 0.90 against 0.71, difference 0.19 (95% 0.08 to 0.32)". */
function against(
  { first, second, auc_difference }: PairedComparison<ScoreName>,
  { test }: AuditedStudy,
  leads: "first" | "second",
): string {
  const order = leads === "first" ? [first, second] : [second, first];
  const [one, other] = order.map((name) => formatNumber(test.scores[name as ScoreName].auc, 2));
  const sign = leads === "first" ? 1 : -1;
  const intervals = auc_difference.intervals.map(({ level, low, high }) =>
    sign === 1 ? { level, low, high } : { level, low: -high, high: -low },
  );
  return `AUROC ${one} against ${other}, difference ${formatNumber(sign * auc_difference.estimate, 2)} (95% ${formatInterval(intervals)})`;
}
