import {
  formatInterval,
  formatNumber,
  formatPEquation,
  formatPercent,
  formatSigned,
} from "../text/format-numbers.ts";
import type { PairedComparison } from "./compare-scores.ts";
import { holmCorrect } from "./compare-scores.ts";
import type { DecisionEvaluation } from "./evaluate-decision.ts";
import { FEW_QUESTIONS, type ScoreEvaluation } from "./evaluate-score.ts";
import type { SplitEvaluation } from "./evaluate-split.ts";
import type { RowWords } from "./row-words.ts";
import {
  isKnownBy,
  type Moment,
  type ProbeName,
  SCORE_INFO,
  SCORE_NAMES,
  type ScoreName,
} from "./score-names.ts";

/** One question that a reader should ask of a result, answered. */
export interface AuditCheck {
  readonly id: CheckName;
  readonly question: string;
  /** good: shown; bad: shown to be otherwise, or a reason not to trust the numbers; unsure: neither; unknown: nothing to judge by. */
  readonly status: "good" | "unsure" | "bad" | "unknown";
  /** In a sentence or two. */
  readonly finding: string;
}

export const CHECK_NAMES = [
  "baselines",
  "adds",
  "shortcuts",
  "transfer",
  "calibration",
  "promises",
  "questions",
] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

/** What the checks look at. */
export interface AuditedStudy {
  readonly probe: ProbeName;
  readonly moment: Moment;
  readonly validation: SplitEvaluation;
  readonly test: SplitEvaluation;
  /** null without a second question set */
  readonly ood: SplitEvaluation | null;
  readonly decisions: readonly DecisionEvaluation<"math_val" | "math_test" | "ood_test">[];
  /** Test questions, of either set, that are also training questions, word for word or nearly so. */
  readonly sharedQuestions: readonly string[];
  /** What a row is. */
  readonly words: RowWords;
}

/** Of all p-values here; those of several scores are corrected first. */
export const LEVEL = 0.05;

/** All checks, in the order of `CHECK_NAMES`. */
export const runChecks = (study: AuditedStudy): AuditCheck[] => [
  { id: "baselines", question: "Beats the baselines?", ...checkBaselines(study) },
  { id: "adds", question: "Adds to them?", ...checkAddedValue(study) },
  { id: "shortcuts", question: "Free of shortcuts?", ...checkShortcuts(study) },
  { id: "transfer", question: "Holds out of distribution?", ...checkTransfer(study) },
  { id: "calibration", question: "Calibrated?", ...checkCalibration(study) },
  { id: "promises", question: "Promises kept?", ...checkPromises(study) },
  { id: "questions", question: "Enough questions?", ...checkQuestions(study) },
];

type Finding = Pick<AuditCheck, "status" | "finding">;

/**
 * The comparisons of a probe with scores that need neither hidden states nor further samples.
 * @param moment only those known by then; all of one answer by default
 */
export const comparedWith = (
  { paired_comparisons }: SplitEvaluation,
  probe: ProbeName,
  moment: Moment = "after",
): PairedComparison<ScoreName>[] =>
  paired_comparisons.filter(({ first, second }) => {
    const { kind } = SCORE_INFO[second];
    return first === probe && kind !== "probe" && kind !== "sampling" && isKnownBy(second, moment);
  });

/** Whether the second score is shown to be better. */
export const isBeaten = ({ auc_difference, p_value_holm }: PairedComparison): boolean =>
  p_value_holm !== null && p_value_holm < LEVEL && auc_difference.estimate < 0;

const isAhead = ({ auc_difference, p_value_holm }: PairedComparison): boolean =>
  p_value_holm !== null && p_value_holm < LEVEL && auc_difference.estimate > 0;

function checkBaselines({ probe, moment, test }: AuditedStudy): Finding {
  const rivals = comparedWith(test, probe, moment);
  if (rivals.length === 0)
    return { status: "unknown", finding: "There is no score to compare the probe with." };
  const better = rivals.filter(isBeaten);
  const worse = rivals.filter(isAhead);
  const name = capitalise(SCORE_INFO[probe].phrase);
  if (better.length > 0)
    return {
      status: "bad",
      finding: `No: ${listPhrases(better)} ${better.length === 1 ? "is" : "are"} better, after Holm's correction.`,
    };
  if (worse.length === rivals.length)
    return {
      status: "good",
      finding: `${name} is better than ${rivals.length === 1 ? SCORE_INFO[rivals[0]!.second].phrase : `all ${rivals.length} scores without hidden states that are known by then`}.`,
    };
  const open = rivals.filter((rival) => !isAhead(rival));
  return {
    status: "unsure",
    finding: `${worse.length === 0 ? "Not" : `Better than ${worse.length} of ${rivals.length} scores; not`} shown to differ from ${listPhrases(open)}.`,
  };
}

function listPhrases(comparisons: readonly PairedComparison<ScoreName>[]): string {
  const phrases = comparisons
    .toSorted((a, b) => a.auc_difference.estimate - b.auc_difference.estimate)
    .map(({ second }) => SCORE_INFO[second].phrase);
  const shown = phrases.slice(0, MOST_NAMED);
  const rest = phrases.length - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  return joinPhrases(shown);
}

const joinPhrases = (phrases: readonly string[]): string =>
  phrases.length > 1 ? `${phrases.slice(0, -1).join(", ")} and ${phrases.at(-1)}` : phrases.join("");

/** So that a finding stays a sentence; the tables have them all. */
const MOST_NAMED = 2;

function checkAddedValue({ probe, test }: AuditedStudy): Finding {
  const added = test.added_value[probe];
  if (added === null || added.p_value === null)
    return { status: "unknown", finding: "These data do not allow a test." };
  const p = formatPEquation(added.p_value, added.permutations);
  if (added.p_value < LEVEL && added.deviance_reduction > 0)
    return {
      status: "good",
      finding: `With it, the deviance is ${formatPercent(added.deviance_reduction, 1)} lower, and the AUROC ${formatNumber(added.auc_with, 2)} instead of ${formatNumber(added.auc_without, 2)} (out of fold, ${p}).`,
    };
  return { status: "unsure", finding: `Not shown (${p}).` };
}

/** Scores of the form of question or answer alone. */
const FORM_SCORES: readonly ScoreName[] = SCORE_NAMES.filter((name) => SCORE_INFO[name].kind === "form");

/**
 * Form scores that tell wrong answers from right ones by themselves, after Holm's correction: a probe can ride on what they see.
 * @param splits each form score is tested on each; the correction is for all of these tests
 */
export function findShortcuts(splits: readonly Pick<SplitEvaluation, "scores">[]): ScoreName[] {
  const tests = splits.flatMap(({ scores }) => FORM_SCORES.map((name) => ({ name, ...scores[name] })));
  const corrected = holmCorrect(tests.map(({ permutation }) => permutation?.p_value ?? null));
  const found = tests.filter((_, i) => (corrected[i] ?? 1) < SHORTCUT_LEVEL).map(({ name }) => name);
  return FORM_SCORES.filter((name) => found.includes(name));
}

/** An accusation; clean data must hardly ever meet one. */
const SHORTCUT_LEVEL = 0.02;
/** The mean AUROC of probes on shuffled labels may be this far from 0.5: twenty of them on thirty questions. */
const CONTROL_MARGIN = 0.1;

function checkShortcuts({ test, sharedQuestions, words }: AuditedStudy): Finding {
  const shared = sharedQuestions.length;
  if (shared > 0)
    return {
      status: "bad",
      finding: `${shared} held-out ${shared === 1 ? "question is" : "questions are"} also among the training questions, word for word or nearly so.`,
    };
  const control = test.shuffled_label_control;
  if (control !== null && Math.abs(control.auc_mean - 0.5) > CONTROL_MARGIN)
    return {
      status: "bad",
      finding: `Probes trained on shuffled labels have AUROC ${formatNumber(control.auc_mean, 2)} on average, not 0.5: something leaks.`,
    };
  const found = findShortcuts([test]);
  if (found.length === 0)
    return {
      status: "good",
      finding: `Neither lengths nor texts find ${words.wrong} by themselves, and no question is on both sides of the split.`,
    };
  const named = found.map(
    (name) => `${SCORE_INFO[name].phrase} (AUROC ${formatNumber(test.scores[name].auc, 2)})`,
  );
  const [verb, object] = found.length === 1 ? ["finds", "itself"] : ["find", "themselves"];
  return {
    status: "unsure",
    finding: `${capitalise(joinPhrases(named))} ${verb} ${words.wrong} by ${object}. A probe may rely on ${found.length === 1 ? "it" : "them"}; see what it adds.`,
  };
}

function checkTransfer({ probe, test, ood, words }: AuditedStudy): Finding {
  if (ood === null) return { status: "unknown", finding: "There is no second question set." };
  const [here, there] = [test.scores[probe], ood.scores[probe]];
  if (here.auc === null || there.auc === null)
    return { status: "unknown", finding: `A split lacks ${words.right} or ${words.wrong}.` };
  const shown = `AUROC ${formatNumber(there.auc, 2)} (95% ${formatInterval(there.auc_intervals)}) against ${formatNumber(here.auc, 2)} on test questions`;
  if ((there.permutation?.p_value ?? 1) >= LEVEL)
    return { status: "bad", finding: `No: ${shown}; it is not shown to be better than chance.` };
  const loss = here.auc - there.auc;
  const error = Math.hypot(standardError(here), standardError(there));
  const [low, high] = [loss - NORMAL_95 * error, loss + NORMAL_95 * error];
  if (low > 0)
    return {
      status: "unsure",
      finding: `Less well: ${shown}, a loss of ${formatNumber(loss, 2)} (95% ${formatNumber(low, 2)} to ${formatNumber(high, 2)}).`,
    };
  return { status: "good", finding: `${shown}; no loss is shown.` };
}

const NORMAL_95 = 1.96;

/** Of an AUROC, from its 95% interval; the two splits share no question. */
function standardError({ auc_intervals }: ScoreEvaluation): number {
  const interval = auc_intervals.find(({ level }) => level === 0.95);
  return interval === undefined ? Number.NaN : (interval.high - interval.low) / 2 / NORMAL_95;
}

/** Of the mean probability minus the share of wrong answers; a smaller one matters little. */
const TOLERATED_BIAS = 0.05;
const TOLERATED_ECE = 0.1;

function checkCalibration({ probe, test, ood }: AuditedStudy): Finding {
  const key = probe === "accuracy_probe" ? "accuracy_probe" : "se_probe_high_se";
  const own = test.calibration[key]?.platt ?? null;
  if (own === null)
    return { status: "bad", finding: "No: its scores could not be calibrated on the validation questions." };
  const { low, high } = own.bias.intervals.find(({ level }) => level === 0.95) ?? { low: -1, high: 1 };
  const isBiased = (low > 0 || high < 0) && Math.abs(own.bias.estimate) > TOLERATED_BIAS;
  const shown = `ECE ${formatNumber(own.ece, 2)}, bias ${formatSigned(own.bias.estimate, 2)}`;
  if (isBiased || own.ece > TOLERATED_ECE)
    return { status: isBiased ? "bad" : "unsure", finding: `On test questions: ${shown}.` };
  const there = ood?.calibration[key]?.platt ?? null;
  if (there !== null && there.ece > TOLERATED_ECE)
    return {
      status: "unsure",
      finding: `In distribution only: ${shown}; out of distribution ECE ${formatNumber(there.ece, 2)}, bias ${formatSigned(there.bias.estimate, 2)}.`,
    };
  return { status: "good", finding: `On test questions: ${shown}.` };
}

function checkPromises({ probe, decisions }: AuditedStudy): Finding {
  const own = decisions.filter(({ score }) => score === probe);
  const made = own.filter(({ threshold }) => threshold !== null);
  if (made.length === 0)
    return {
      status: "unknown",
      finding: own[0]?.reason ?? "No threshold was chosen, so nothing was promised.",
    };
  const broken = (["math_test", "ood_test"] as const).flatMap((split) =>
    made.flatMap((decision) => {
      const achieved = describeBroken(decision, split);
      return achieved === null ? [] : [{ split, achieved }];
    }),
  );
  const inDistribution = broken.filter(({ split }) => split === "math_test");
  if (inDistribution.length > 0)
    return {
      status: "bad",
      finding: `No: on test questions ${inDistribution.map(({ achieved }) => achieved).join("; ")}.`,
    };
  if (broken.length > 0)
    return {
      status: "bad",
      finding: `On test questions, yes. Out of distribution, where nothing is guaranteed, ${broken.map(({ achieved }) => achieved).join("; ")}.`,
    };
  return {
    status: "good",
    finding: `${made.length} of ${own.length} targets have a threshold, and none is shown to be missed.`,
  };
}

/**
 * What became of a target on other questions than it was chosen on. kept: on its right side. near: on its wrong side, but within the
 * interval of what was achieved. missed: the interval lies on its wrong side. null without a threshold or answers.
 */
export function judgePromise(
  { kind, target, achieved }: AuditedStudy["decisions"][number],
  split: "math_test" | "ood_test",
): "kept" | "near" | "missed" | null {
  const own = achieved[split];
  if (own === undefined) return null;
  const { estimate, intervals } = kind === "risk" ? own.risk : own.coverage;
  if (kind === "risk" ? estimate <= target : estimate >= target) return "kept";
  const interval = intervals.find(({ level }) => level === 0.95);
  if (interval === undefined) return "near";
  return (kind === "risk" ? interval.low > target : interval.high < target) ? "missed" : "near";
}

function describeBroken(
  decision: AuditedStudy["decisions"][number],
  split: "math_test" | "ood_test",
): string | null {
  const { kind, target, achieved } = decision;
  const own = achieved[split];
  if (own === undefined || judgePromise(decision, split) !== "missed") return null;
  return kind === "risk"
    ? `${formatPercent(own.risk.estimate, 1)} of the answers were given and wrong (target: at most ${formatPercent(target, 1)})`
    : `${formatPercent(own.coverage.estimate, 1)} of the answers were given (target: at least ${formatPercent(target, 1)})`;
}

/** The smallest AUROC that a study of this size shows in four of five cases: below, it can find weak scores; above, only strong ones. */
const WEAK_AUROC = 0.65;
const STRONG_AUROC = 0.75;

function checkQuestions({ test, words }: AuditedStudy): Finding {
  const count = test.counts.questions;
  const smallest = test.power?.smallest_auc ?? null;
  if (test.power === null)
    return {
      status: "bad",
      finding: `The ${count} test questions have no ${words.right} or no ${words.wrong}.`,
    };
  const isTooFew = count < FEW_QUESTIONS || smallest === null || smallest > STRONG_AUROC;
  const found =
    smallest === null
      ? "no AUROC"
      : `${isTooFew ? "only " : ""}an AUROC of ${formatNumber(smallest, 2)} or more`;
  const shown = `with ${count} test questions, ${found} would be significant in ${formatPercent(test.power.power)} of studies.`;
  if (isTooFew) return { status: "bad", finding: `No: ${shown}` };
  return { status: smallest > WEAK_AUROC ? "unsure" : "good", finding: capitalise(shown) };
}

/** A sentence's beginning. */
export const capitalise = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
