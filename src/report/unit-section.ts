import type { UnitExample } from "../evaluation/choose-examples.ts";
import type { UnitAuroc, UnitEvaluation } from "../evaluation/evaluate-units.ts";
import type { EvaluatedSplit, ProbeEval } from "../evaluation/probe-eval.ts";
import type { RowLabel } from "../probes/unit-labels.ts";
import { formatInterval, formatNumber, formatPercent } from "../text/format-numbers.ts";
import { SPLIT_TITLES } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";

/** What the accuracy probe says along answers: how well, where in them, and three to read. */
export function drawUnits({ label, position, splits, examples }: NonNullable<ProbeEval["units"]>): SafeHtml {
  const found = Object.entries(splits) as [EvaluatedSplit, UnitEvaluation][];
  return html`<p class="quiet">The accuracy probe has a score at ${position} throughout the answer; label 1: ${LABELS[label]}. Pooled: all rows of all answers. Within answers: the share of pairs of one answer that the score orders correctly, which a probe that only knows which questions are hard cannot raise above 0.5. Intervals resample whole questions.</p>
<div class="wide" role="region" tabindex="0" aria-label="AUROC along answers"><table><caption class="unseen">AUROC of the accuracy probe along answers</caption>
<thead><tr><th scope="col">rows</th>${found.map(([split]) => html`<th scope="col">${SPLIT_TITLES[split]}</th><th scope="col">rows</th>`)}</tr></thead>
<tbody>${drawRow("pooled", found, ({ pooled }) => pooled)}${drawRow("within answers", found, ({ within_answer }) => within_answer)}${(found[0]?.[1].over_position ?? []).map(({ from, to }, i) => drawRow(`${formatPercent(from)} to ${formatPercent(to)} of the answer`, found, ({ over_position }) => over_position[i]!))}</tbody></table></div>
${examples.length === 0 ? "" : html`<h3>Three answers, by their highest score</h3>${examples.map((example) => drawExample(example, position))}`}`;
}

const LABELS = {
  "final-incorrect": "the answer ends wrong",
  "step-incorrect": "the arithmetic of the row's text does not hold",
  spans: "labelled so by the user",
} as const satisfies Record<RowLabel, string>;

const drawRow = (
  name: string,
  splits: readonly (readonly [EvaluatedSplit, UnitEvaluation])[],
  pick: (evaluation: UnitEvaluation) => UnitAuroc,
): SafeHtml =>
  html`<tr><th scope="row">${name}</th>${splits.map(([, evaluation]) => {
    const { auroc, intervals, unit_count } = pick(evaluation);
    const interval = intervals.length === 0 ? "" : ` (${formatInterval(intervals)})`;
    return html`<td>${formatNumber(auroc)}${interval}</td><td>${unit_count}</td>`;
  })}</tr>`;

/** Each part on a ground that is the darker the higher its score, which stands behind it unless it is a token. */
const drawExample = ({ question_id, run_id, risk, units }: UnitExample, position: string): SafeHtml =>
  html`<h4>${TITLES[risk]}: question ${question_id}, run ${run_id}</h4>
<p style="white-space: pre-wrap">${units.map(({ text, score, label }) => {
    const shade = `background: rgb(208 90 40 / ${Math.round(SHADE * score)}%)`;
    const said = `score ${formatNumber(score, 2)}${label === 1 ? ", label 1" : ""}`;
    const shown =
      position === "every-token"
        ? ""
        : html` <small>${formatNumber(score, 2)}${label === 1 ? " ✗" : ""}</small>`;
    return html`<span style="${shade}" title="${said}">${text}</span>${shown}${position === "every-token" ? "" : "\n"}`;
  })}</p>`;

const TITLES = {
  highest: "Highest of all",
  middle: "In the middle",
  lowest: "Lowest of all",
} as const satisfies Record<UnitExample["risk"], string>;

/** Opacity in percent at score 1: text stays readable on it. */
const SHADE = 55;
