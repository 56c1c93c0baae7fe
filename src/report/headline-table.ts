import type { ScoreEvaluation } from "../evaluation/evaluate-score.ts";
import { SCORE_NAMES, type ScoreName, type SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
import { formatInterval, formatNumber, formatPercent, formatPValue } from "../text/format-numbers.ts";
import { html, type SafeHtml } from "./html.ts";
import { SCORE_TITLES, SPLIT_TITLES } from "./titles.ts";

/** One table a split: every score with its AUROC, interval, p-value and counts. */
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
${SCORE_NAMES.map((name) => drawRow(SCORE_TITLES[name], split.scores[name], split.rejection[name]))}
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
