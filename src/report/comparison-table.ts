import type { PairedComparison } from "../evaluation/compare-scores.ts";
import type { ScoreName } from "../evaluation/evaluate-split.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { formatInterval, formatPValue, formatSigned } from "../text/format-numbers.ts";
import { HELD_OUT_SPLITS } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import { SCORE_TITLES, SPLIT_TITLES } from "./titles.ts";

/** Every pair of scores on the same rows, one table a held-out split. */
export function drawComparisons(evaluation: ProbeEval): SafeHtml {
  const tables = HELD_OUT_SPLITS.flatMap((split) => {
    const comparisons = evaluation[split]?.paired_comparisons ?? [];
    return comparisons.length === 0 ? [] : [drawTable(SPLIT_TITLES[split], comparisons)];
  });
  if (tables.length === 0) return html`<p class="quiet">No two scores can be compared.</p>`;
  return html`${tables}`;
}

const drawTable = (title: string, comparisons: readonly PairedComparison<ScoreName>[]): SafeHtml =>
  html`<details><summary>${title} <span class="quiet">${comparisons.length} pairs</span></summary><div class="wide" role="region" tabindex="0" aria-label="${title}: scores compared"><table>
<caption class="unseen">${title}: differences of AUROC between scores, with intervals and p-values</caption>
<thead><tr><th scope="col">Scores</th><th scope="col">AUROC difference</th><th scope="col">95% interval</th><th scope="col">p</th><th scope="col">p, Holm</th><th scope="col">Rows</th></tr></thead>
<tbody>${comparisons.map(drawRow)}</tbody></table></div></details>`;

const drawRow = (each: PairedComparison<ScoreName>): SafeHtml =>
  html`<tr><th scope="row">${SCORE_TITLES[each.first]} minus ${SCORE_TITLES[each.second]}</th><td>${formatSigned(each.auc_difference.estimate)}</td><td>${formatInterval(each.auc_difference.intervals, { decimals: 3, signed: true })}</td><td>${formatPValue(each.p_value, each.permutations)}</td><td>${formatPValue(each.p_value_holm, null)}</td><td>${each.row_count}</td></tr>`;
