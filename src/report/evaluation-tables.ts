import type { PairedComparison } from "../evaluation/compare-scores.ts";
import type { ConsistentlyWrong, ConsistentlyWrongQuestion } from "../evaluation/consistently-wrong.ts";
import type { DecisionEvaluation } from "../evaluation/evaluate-decision.ts";
import type { ScoreEvaluation } from "../evaluation/evaluate-score.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
import { SCORE_NAMES, type ScoreName } from "../evaluation/score-names.ts";
import {
  formatInterval,
  formatNumber,
  formatPercent,
  formatPValue,
  formatSigned,
  formatSignificant,
} from "../text/format-numbers.ts";
import { HELD_OUT_SPLITS, type HeldOutSplit, titleOf, SPLIT_TITLES } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import type { ReportContent } from "./report-content.ts";

/** One table per split: every score with its AUROC, interval, p-value and counts. */
export function drawHeadlineTables(evaluation: ProbeEval): SafeHtml {
  const splits = EVALUATED_SPLITS.toSorted((a, b) => SHOWN_FIRST.indexOf(a) - SHOWN_FIRST.indexOf(b));
  return html`${splits.flatMap((split) => {
    const own = evaluation[split];
    return own === undefined ? [] : [drawSplitTable(SPLIT_TITLES[split], own)];
  })}`;
}

/** Test results count; validation chose the answer threshold and comes last. */
const SHOWN_FIRST: readonly EvaluatedSplit[] = ["math_test", "ood_test", "math_val"];

function drawSplitTable(title: string, split: SplitEvaluation): SafeHtml {
  const { counts } = split;
  return html`<h3>${title} <span class="quiet">${counts.questions} questions, ${counts.rows} answers, ${counts.incorrect} of them wrong</span></h3>
<div class="wide" role="region" tabindex="0" aria-label="${title}: scores"><table>
<caption class="unseen">${title}: scores, their AUROC, interval, p-value and counts</caption>
<thead><tr><th scope="col">Score</th><th scope="col">AUROC</th><th scope="col">95% interval</th><th scope="col">p</th><th scope="col">AUPRC</th><th scope="col">PRR</th><th scope="col">Accuracy at 80%</th><th scope="col">Rows</th></tr></thead>
<tbody>
<tr class="group"><th scope="rowgroup" colspan="8">Telling wrong answers from right ones</th></tr>
${SCORE_NAMES.map((name) => drawRow(titleOf(name), split.scores[name], split.rejection[name]))}
<tr class="group"><th scope="rowgroup" colspan="8">Telling high semantic entropy from low</th></tr>
${drawRow("SE probe", split.scores.se_probe_high_se, null)}
</tbody></table></div>`;
}

function drawRow(
  name: string,
  score: ScoreEvaluation,
  rejection: SplitEvaluation["rejection"][ScoreName],
): SafeHtml {
  return html`<tr><th scope="row">${name}</th><td><strong>${formatNumber(score.auc)}</strong></td><td>${formatInterval(score.auc_intervals)}</td><td>${formatPValue(score.permutation?.p_value ?? null, score.permutation?.permutations ?? null)}</td><td>${formatNumber(score.auprc)}</td><td>${formatNumber(rejection?.prr ?? null)}</td><td>${formatPercent(rejection?.accuracy_at_80 ?? null)}</td><td>${score.row_count}</td></tr>`;
}

/** Every pair of scores on the same rows, one table per held-out split. */
export function drawComparisons(evaluation: ProbeEval): SafeHtml {
  const tables = HELD_OUT_SPLITS.flatMap((split) => {
    const comparisons = evaluation[split]?.paired_comparisons ?? [];
    return comparisons.length === 0 ? [] : [drawComparisonTable(SPLIT_TITLES[split], comparisons)];
  });
  if (tables.length === 0) return html`<p class="quiet">No two scores can be compared.</p>`;
  return html`${tables}`;
}

const drawComparisonTable = (title: string, comparisons: readonly PairedComparison<ScoreName>[]): SafeHtml =>
  html`<details><summary>${title} <span class="quiet">${comparisons.length} pairs</span></summary><div class="wide" role="region" tabindex="0" aria-label="${title}: scores compared"><table>
<caption class="unseen">${title}: differences of AUROC between scores, with intervals and p-values</caption>
<thead><tr><th scope="col">Scores</th><th scope="col">AUROC difference</th><th scope="col">95% interval</th><th scope="col">p</th><th scope="col">p, Holm</th><th scope="col">Rows</th></tr></thead>
<tbody>${comparisons.map(drawComparison)}</tbody></table></div></details>`;

const drawComparison = (each: PairedComparison<ScoreName>): SafeHtml =>
  html`<tr><th scope="row">${titleOf(each.first)} minus ${titleOf(each.second)}</th><td>${formatSigned(each.auc_difference.estimate)}</td><td>${formatInterval(each.auc_difference.intervals, { decimals: 3, signed: true })}</td><td>${formatPValue(each.p_value, each.permutations)}</td><td>${formatPValue(each.p_value_holm, null)}</td><td>${each.row_count}</td></tr>`;

type Decision = DecisionEvaluation<EvaluatedSplit>;

/** The thresholds chosen on validation, what each guarantees, and what it achieved on the held-out splits. */
export function drawDecisions({ decisions = [], familiarity }: ProbeEval): SafeHtml {
  return html`${drawThresholds(decisions)}${drawFamiliarity(familiarity)}`;
}

function drawThresholds(decisions: readonly Decision[]): SafeHtml {
  if (decisions.length === 0) return html`<p class="quiet">No threshold was chosen.</p>`;
  const groups = new Map<string, Decision[]>();
  for (const decision of decisions)
    groups.set(decision.kind, [...(groups.get(decision.kind) ?? []), decision]);
  return html`${[...groups.values()].map(drawTarget)}`;
}

function drawTarget(group: readonly Decision[]): SafeHtml {
  const { kind, target } = group[0]!;
  const title =
    kind === "risk"
      ? `At most ${formatPercent(target)} of all answers given and wrong`
      : `At least ${formatPercent(target)} of all answers given`;
  const guarantee = group.find(({ threshold }) => threshold !== null)?.threshold?.guarantee ?? null;
  const elsewhere = group.some(({ achieved }) => achieved.ood_test !== undefined)
    ? " Nothing is guaranteed out of distribution."
    : "";
  return html`<h3>${title}</h3>
${guarantee === null ? "" : html`<p class="quiet">${guarantee}${elsewhere}</p>`}
<div class="wide" role="region" tabindex="0" aria-label="${title}"><table>
<caption class="unseen">${title}: threshold of each score, and answers given at it</caption>
<thead><tr><th scope="col">Score</th><th scope="col">Answer if score ≤</th><th scope="col">Split</th><th scope="col">Answered</th><th scope="col">Answered and wrong</th><th scope="col">Wrong among answered</th></tr></thead>
<tbody>${group.flatMap(drawRows)}</tbody></table></div>`;
}

/** What thresholds say nothing about: questions unlike those that the probes were trained on. */
function drawFamiliarity(familiarity: ProbeEval["familiarity"]): SafeHtml {
  const found = FAMILIARITY_TITLES.flatMap(([key, title]) => {
    const own = familiarity?.[key];
    return own == null ? [] : [{ title, own }];
  });
  const [first] = found;
  if (first === undefined) return html``;
  const { level, validation_questions: questions } = first.own;
  const items = found.map(({ title, own }) => {
    const shares = HELD_OUT_SPLITS.flatMap((split) => {
      const counted = own.splits[split];
      if (counted === undefined) return [];
      return [
        `${formatPercent(counted.unfamiliar_share)} of ${counted.question_count} (${SHORT_TITLES[split].toLowerCase()})`,
      ];
    });
    return html`<li>${title}: ${shares.join(", ")}</li>`;
  });
  return html`<h3>Unfamiliar questions</h3>
<p class="quiet">Questions whose hidden states are unlike those that a probe was trained on, judged by their distance against that of ${questions} validation questions (p ≤ ${level}, which holds for about ${formatPercent(level)} of questions of the training kind). A probe's score for them cannot be relied on.</p>
<ul>${items}</ul>`;
}

const FAMILIARITY_TITLES = [
  ["accuracy_probe", titleOf("accuracy_probe")],
  ["se_probe", titleOf("se_probe")],
] as const;

function drawRows({ score, threshold, reason, achieved }: Decision): SafeHtml[] {
  const title = titleOf(score as ScoreName);
  if (threshold === null)
    return [
      html`<tr><th scope="row">${title}</th><td colspan="5" class="words">none: ${reason ?? ""}</td></tr>`,
    ];
  const tried = HELD_OUT_SPLITS.filter((split) => achieved[split] !== undefined);
  const head = html`<th scope="rowgroup" rowspan="${tried.length}">${title}</th><td rowspan="${tried.length}">${formatSignificant(threshold.threshold)}</td>`;
  return tried.map((split, i) => {
    const { coverage, risk, error_when_answering: error } = achieved[split]!;
    return html`<tr>${i === 0 ? head : ""}<td>${SHORT_TITLES[split]}</td><td>${formatPercent(coverage.estimate)}</td><td>${formatPercent(risk.estimate, 1)}</td><td>${formatPercent(error, 1)}</td></tr>`;
  });
}

const SHORT_TITLES: Readonly<Record<HeldOutSplit, string>> = { math_test: "Test", ood_test: "OOD" };

/** Rows of the table; the evaluation's file has them all. */
const MOST_QUESTIONS = 50;

/** Questions whose samples agree on something wrong: no entropy over samples can find them. */
export function drawBlindSpot(content: ReportContent): SafeHtml {
  return html`${HELD_OUT_SPLITS.flatMap((split) => {
    const found = content.evaluation[split]?.consistently_wrong;
    if (found === undefined) return [];
    const texts = new Map(content.questions[split]?.map(({ id, question }) => [id, question]));
    return [drawWrong(SPLIT_TITLES[split], found, texts)];
  })}`;
}

function drawWrong(title: string, found: ConsistentlyWrong, texts: ReadonlyMap<string, string>): SafeHtml {
  const { accuracy_probe: probe } = found;
  const among =
    probe.auc === null
      ? ""
      : ` Among answers to questions of low entropy the accuracy probe has AUROC ${formatNumber(probe.auc)}.`;
  return html`<h3>${title}</h3>
<p>${found.question_count} of ${found.low_entropy_questions} questions of low semantic entropy are mostly answered wrongly, ${found.single_cluster_count} of them with a single meaning. They account for ${found.low_entropy_incorrect_rows} of ${found.incorrect_rows} wrong answers.${among}</p>
${found.questions.length === 0 ? "" : drawWrongQuestions(title, found.questions, texts)}`;
}

function drawWrongQuestions(
  title: string,
  questions: readonly ConsistentlyWrongQuestion[],
  texts: ReadonlyMap<string, string>,
): SafeHtml {
  const left = questions.length - MOST_QUESTIONS;
  return html`<details><summary>The questions</summary><div class="wide" role="region" tabindex="0" aria-label="${title}: consistently wrong"><table>
<caption class="unseen">${title}: questions of low semantic entropy that are mostly answered wrongly</caption>
<thead><tr><th scope="col">Question</th><th scope="col">Most common answer</th><th scope="col">Share</th><th scope="col">Wrong</th><th scope="col">Entropy, nats</th><th scope="col">P(wrong) by the accuracy probe</th></tr></thead>
<tbody>${questions
    .slice(0, MOST_QUESTIONS)
    .map(
      (each) =>
        html`<tr><th scope="row" class="words">${texts.get(each.question_id) ?? each.question_id}</th><td class="words">${each.answer ?? "none"}</td><td>${formatPercent(each.cluster_share)}</td><td>${each.incorrect_count} of ${each.row_count}</td><td>${formatNumber(each.discrete_semantic_entropy, 2)}</td><td>${formatPercent(each.accuracy_probe)}</td></tr>`,
    )}</tbody></table></div>${left > 0 ? html`<p class="quiet">${left} more are in probe_eval.json.</p>` : ""}</details>`;
}
