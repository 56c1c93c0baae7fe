import { dot, ruleX, ruleY, text } from "@observablehq/plot";
import type { StudiesComparison } from "../evaluation/compare-studies.ts";
import { HELD_OUT_SPLITS, type HeldOutSplit } from "../evaluation/probe-eval.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { drawChart, drawLegend, lookOf, REFERENCE_LINE } from "./chart.ts";
import { makeComparisonTables } from "./comparison-tables.ts";
import { titleOf } from "./figure.ts";
import { html, type SafeHtml, trustedHtml } from "./html.ts";
import { STYLE_SHEET } from "./report-style.ts";
import { drawTable } from "./table.ts";

/**
 * A comparison of studies as one page that loads nothing, as a report does: what differs, every AUROC in one figure, and the tables,
 * whose files are beside it. Names of studies and values of settings are escaped.
 */
export function renderComparison(comparison: StudiesComparison): string {
  const { studies, differing, notes } = comparison;
  const title = `Comparison of ${studies.length} studies`;
  const tables = makeComparisonTables(comparison).filter(({ rows }) => rows.length > 0);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${trustedHtml(STYLE_SHEET)}</style>
</head>
<body>
<header><h1>${title}</h1>
<p class="quiet">${differing.length === 0 ? "No recorded setting differs." : `They differ in ${differing.join(", ")}.`}</p></header>
<main>
<ul>${studies.map(({ name, settings }) => html`<li><b>${name}</b>${differing.length === 0 ? "" : `: ${differing.map((key) => `${key} ${settings[key]}`).join(", ")}`}</li>`)}</ul>
${notes.map((note) => html`<p>${note}</p>`)}
${drawForest(comparison)}
${tables.map((table) => drawTable(table, { folder: "." }))}
</main>
</body>
</html>
`;
  return page.markup;
}

interface ForestPoint {
  readonly at: number;
  /** Where the split's dot is drawn, a little above or below the row. */
  readonly y: number;
  readonly split: HeldOutSplit;
  readonly auc: number;
  readonly low: number;
  readonly high: number;
  readonly color: string;
}

const ROW_HEIGHT = 30;
const NAMES_WIDTH = 190;
const LONGEST_NAME = 30;

/** AUROC of every row with its interval, in and out of distribution. */
function drawForest({ studies, rows, finds }: StudiesComparison): SafeHtml {
  const scores = new Set(rows.map(({ score }) => score));
  const names = rows.map(({ study, score }) => {
    const name = scores.size > 1 ? `${studies[study]!.name}, ${titleOf(score)}` : studies[study]!.name;
    return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
  });
  const points = rows.flatMap(({ score, splits }, at) =>
    HELD_OUT_SPLITS.flatMap((split): ForestPoint[] => {
      const own = splits[split];
      const interval = own?.auc_intervals.find(({ level }) => level === 0.95);
      if (own?.auc == null || interval === undefined) return [];
      const y = at + (split === "math_test" ? -0.14 : 0.14);
      return [
        { at, y, split, auc: own.auc, low: interval.low, high: interval.high, color: lookOf(score).color },
      ];
    }),
  );
  if (points.length === 0) return html``;
  const start = Math.floor(10 * Math.min(0.45, ...points.map(({ low }) => low))) / 10;
  const told = points.map(
    ({ at, split, auc }) =>
      `${names[at]}, ${split === "math_test" ? "test" : "OOD"}: ${formatNumber(auc, 2)}`,
  );
  const chart = drawChart(`AUROC of each study. ${told.join("; ")}.`, {
    height: 60 + ROW_HEIGHT * rows.length,
    marginLeft: NAMES_WIDTH,
    x: { domain: [Math.max(0, start), 1], label: `AUROC at finding ${finds}`, ticks: 5, grid: true },
    y: { domain: [rows.length - 0.5, -0.5], axis: null },
    marks: [
      ruleX([0.5], { stroke: "var(--rule)", strokeDasharray: "3 3" }),
      text(
        names.map((name, at) => ({ name, at })),
        {
          x: Math.max(0, start),
          y: "at",
          dx: -NAMES_WIDTH,
          textAnchor: "start",
          text: "name",
          fill: "currentColor",
        },
      ),
      ruleY(points, { x1: "low", x2: "high", y: "y", stroke: "color", strokeWidth: 1.6 }),
      dot(points, {
        x: "auc",
        y: "y",
        r: 3.4,
        fill: ({ split, color }: ForestPoint) => (split === "math_test" ? color : "var(--paper)"),
        stroke: "color",
        strokeWidth: 1.6,
      }),
    ],
    color: { type: "identity" },
  });
  return html`<figure><figcaption>Every study, in and out of distribution</figcaption>${chart}${drawLegend([
    { mark: { kind: "disc", color: "currentColor" }, name: "Test questions", note: "with 95% intervals" },
    { mark: { kind: "circle", color: "currentColor" }, name: "Out of distribution", note: "" },
    { mark: REFERENCE_LINE, name: "Chance", note: "" },
  ])}</figure>`;
}
