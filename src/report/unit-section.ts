import { dot, ruleX, ruleY } from "@observablehq/plot";
import type { UnitExample } from "../evaluation/choose-examples.ts";
import type { UnitAuroc, UnitEvaluation } from "../evaluation/evaluate-units.ts";
import type { EvaluatedSplit, ProbeEval } from "../evaluation/probe-eval.ts";
import type { RowLabel } from "../probes/unit-labels.ts";
import { formatInterval, formatNumber, formatPercent } from "../text/format-numbers.ts";
import { drawChart, drawLegend } from "./chart.ts";
import { SPLIT_FILES } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";

type Units = NonNullable<ProbeEval["units"]>;
type FoundSplit = readonly [EvaluatedSplit, UnitEvaluation];

/**
 * What the accuracy probe says along answers: how well, where in them, and three to read.
 * @param questionOf the text of a test question, as far as known
 */
export function drawUnits(
  { label, position, splits, examples }: Units,
  questionOf: (id: string) => string | null = () => null,
): SafeHtml {
  const found = Object.entries(splits) as FoundSplit[];
  const perAnswer = label === "final-incorrect";
  const within = perAnswer
    ? "All rows of an answer have the answer's label, so there is nothing to order within one."
    : "Within answers: the share of pairs of one answer that the score orders correctly, which a probe that only knows which questions are hard cannot raise above 0.5.";
  const fifths = (found[0]?.[1].over_position ?? []).map(({ from, to }, i) =>
    drawRow(
      `${formatPercent(from)} to ${formatPercent(to)} of the answer`,
      found,
      ({ over_position }) => over_position[i]!,
    ),
  );
  return html`<p class="quiet">The accuracy probe has a score at ${position} throughout the answer; label 1: ${LABELS[label]}. Pooled: all rows of all answers. ${within} Intervals resample whole questions.</p>
${drawOverPosition(found)}
<div class="wide" role="region" tabindex="0" aria-label="AUROC along answers"><table><caption class="unseen">AUROC of the accuracy probe along answers</caption>
<thead><tr><th scope="col" class="left">Part</th>${found.map(([split]) => html`<th scope="col">AUROC, ${SPLIT_FILES[split]}</th><th scope="col">95% interval</th><th scope="col">Rows</th>`)}</tr></thead>
<tbody>${drawRow("pooled", found, ({ pooled }) => pooled)}${perAnswer ? "" : drawRow("within answers", found, ({ within_answer }) => within_answer)}${fifths}</tbody></table></div>
${examples.length === 0 ? "" : html`<h3>Three answers, by their highest score</h3>${drawKey(label, position)}<ul class="cards">${examples.map((example) => html`<li>${drawExample(example, position, questionOf)}</li>`)}</ul>`}`;
}

const LABELS = {
  "final-incorrect": "the answer ends wrong",
  "step-incorrect": "the arithmetic of the row's text does not hold",
  spans: "labeled so by the user",
  inconsistent: "the other samples leave the sentence open or contradict it",
  clusters: "answers that go on from the sentence disagree in meaning",
} as const satisfies Record<RowLabel, string>;

const drawRow = (
  name: string,
  splits: readonly FoundSplit[],
  pick: (evaluation: UnitEvaluation) => UnitAuroc,
): SafeHtml =>
  html`<tr><th scope="row" class="left">${name}</th>${splits.map(([, evaluation]) => {
    const { auroc, intervals, unit_count } = pick(evaluation);
    return html`<td>${formatNumber(auroc)}</td><td>${formatInterval(intervals)}</td><td>${unit_count}</td>`;
  })}</tr>`;

/** The AUROC of each fifth of the answers, as far as it has one. */
function drawOverPosition(found: readonly FoundSplit[]): SafeHtml {
  const points = found.flatMap(([split, { over_position }], side) =>
    over_position.flatMap(({ from, to, auroc, intervals }) => {
      const interval = intervals.find(({ level }) => level === 0.95);
      if (auroc === null || interval === undefined) return [];
      // side by side, so that intervals do not lie on one another
      const at = (from + to) / 2 + (found.length < 2 ? 0 : (side - 0.5) * 0.03);
      return [{ split, at, auroc, low: interval.low, high: interval.high }];
    }),
  );
  if (points.length === 0) return html``;
  const told = points.map(
    ({ split, at, auroc }) => `${SPLIT_FILES[split]}, ${formatPercent(at)}: ${formatNumber(auroc, 2)}`,
  );
  const chart = drawChart(`AUROC over the position in the answer. ${told.join("; ")}.`, {
    height: 210,
    x: { domain: [0, 1], label: "Position in the answer", tickFormat: "%", ticks: 5 },
    y: { domain: [Math.min(0.4, ...points.map(({ low }) => low)), 1], label: "AUROC", grid: true, ticks: 5 },
    marks: [
      ruleY([0.5], { stroke: "var(--rule)", strokeDasharray: "3 3" }),
      ruleX(points, { x: "at", y1: "low", y2: "high", stroke: "var(--series-1)", strokeWidth: 1.6 }),
      dot(points, {
        x: "at",
        y: "auroc",
        r: 3.4,
        stroke: "var(--series-1)",
        strokeWidth: 1.6,
        fill: ({ split }: (typeof points)[number]) =>
          split === "math_test" ? "var(--series-1)" : "var(--paper)",
      }),
    ],
    color: { type: "identity" },
  });
  const marks = found.map(([split]) => ({
    mark: { kind: split === "math_test" ? "disc" : "circle", color: "var(--series-1)" } as const,
    name: split === "math_test" ? "Test questions" : "Out of distribution",
    note: "with 95% intervals",
  }));
  return html`<figure><figcaption>How well the accuracy probe does along the answer</figcaption>${chart}${drawLegend(marks)}</figure>`;
}

/** What the colours and signs of the examples mean. */
const drawKey = (label: RowLabel, position: string): SafeHtml =>
  html`<p class="quiet">Score ${[0, 0.25, 0.5, 0.75, 1].map((score) => html`<span style="${shadeOf(score)}; padding: 0 .35em">${score}</span>`)}${position === "every-token" ? "; point at a token for its score" : html`, also behind each part; ✗: ${LABELS[label]}`}.</p>`;

const shadeOf = (score: number): string => `background: rgb(208 90 40 / ${Math.round(SHADE * score)}%)`;

/** Each part on a ground that is the darker the higher its score, which stands behind it unless it is a token. */
function drawExample(
  { question_id, run_id, risk, units }: UnitExample,
  position: string,
  questionOf: (id: string) => string | null,
): SafeHtml {
  const isToken = position === "every-token";
  const question = questionOf(question_id);
  return html`<article><h3>${question ?? `Question ${question_id}`}</h3>
<p class="quiet">${TITLES[risk]} · ${question_id}, run ${run_id}</p>
<p class="text">${units.map(({ text, score, label }) => {
    const said = `score ${formatNumber(score, 2)}${label === 1 ? ", label 1" : ""}`;
    const shown = isToken ? "" : html` <small>${formatNumber(score, 2)}${label === 1 ? " ✗" : ""}</small>`;
    return html`<span style="${shadeOf(score)}" title="${said}">${text}</span>${shown}${isToken ? "" : "\n"}`;
  })}</p></article>`;
}

const TITLES = {
  highest: "highest of all",
  middle: "in the middle",
  lowest: "lowest of all",
} as const satisfies Record<UnitExample["risk"], string>;

/** Opacity in percent at score 1: text stays readable on it. */
const SHADE = 55;
