import type { ConsistentlyWrong } from "../evaluation/consistently-wrong.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import {
  formatInterval,
  formatNumber,
  formatPEquation,
  formatPercent,
  formatSigned,
} from "../text/format-numbers.ts";
import { wrap } from "./terminal.ts";

/** Questions that are listed; the file has them all. */
const SHOWN_QUESTIONS = 5;
const SHOWN_ANSWER_LENGTH = 24;
const TEXT_WIDTH = 78;

/**
 * The lines below a split's table: the two probes compared, their calibration, and what semantic entropy cannot see.
 * Each is left out where there is nothing to say.
 */
export function describeFindings(split: SplitEvaluation): string[] {
  return [
    ...describeComparison(split),
    ...describeCalibration(split),
    ...describeBlindSpot(split.consistently_wrong),
  ];
}

function describeComparison({ paired_comparisons: comparisons }: SplitEvaluation): string[] {
  const found = comparisons.find(({ first, second }) => first === "se_probe" && second === "accuracy_probe");
  if (found === undefined) return [];
  const { estimate, intervals } = found.auc_difference;
  const range = intervals.length === 0 ? "" : `, ${formatInterval(intervals, { decimals: 3, signed: true })}`;
  const p =
    found.p_value === null
      ? ""
      : `; ${formatPEquation(found.p_value, found.permutations)}, after Holm for ${comparisons.length} pairs ${formatPEquation(found.p_value_holm, null)}`;
  return [`  SE probe minus accuracy probe: ${formatSigned(estimate)}${range}${p}`];
}

function describeCalibration({ calibration }: SplitEvaluation): string[] {
  const { accuracy_probe: own } = calibration;
  if (own === null) return [];
  const after = (["platt", "isotonic"] as const).flatMap((method) => {
    const quality = own[method];
    return quality === null ? [] : [`${method} ${formatNumber(quality.ece)}`];
  });
  return [`  Accuracy probe's calibration error: ${[formatNumber(own.ece), ...after].join(", after ")}`];
}

function describeBlindSpot(found: ConsistentlyWrong): string[] {
  const { question_count: wrong, low_entropy_questions: low, accuracy_probe: probe } = found;
  if (low === 0) return [];
  const auc =
    probe.auc === null ? "" : ` Among them the accuracy probe has AUROC ${formatNumber(probe.auc)}.`;
  const share = `${found.low_entropy_incorrect_rows} of ${found.incorrect_rows} wrong answers`;
  return [
    `  Consistently wrong: ${wrong} of ${low} questions of low semantic entropy, ${found.single_cluster_count} with one meaning only.`,
    ...wrap(
      `Semantic entropy cannot see them: ${share} are to questions of low entropy.${auc}`,
      TEXT_WIDTH,
    ).map((line) => `  ${line}`),
    ...found.questions.slice(0, SHOWN_QUESTIONS).map(describeQuestion),
    ...(wrong > SHOWN_QUESTIONS ? [`    and ${wrong - SHOWN_QUESTIONS} more in the file`] : []),
  ];
}

function describeQuestion(question: ConsistentlyWrong["questions"][number]): string {
  const { question_id, answer, cluster_share, incorrect_count, row_count, accuracy_probe } = question;
  const said = answer === null ? "" : ` mostly "${shorten(answer)}"`;
  const share = cluster_share === null ? "" : ` (${formatPercent(cluster_share)})`;
  const probe = accuracy_probe === null ? "" : `, accuracy probe ${formatNumber(accuracy_probe, 2)}`;
  return `    ${question_id}:${said}${share}, ${incorrect_count} of ${row_count} wrong${probe}`;
}

function shorten(answer: string): string {
  const line = answer.replace(/\s+/g, " ");
  return line.length > SHOWN_ANSWER_LENGTH ? `${line.slice(0, SHOWN_ANSWER_LENGTH - 1)}…` : line;
}
