import { line, ruleX } from "@observablehq/plot";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import { auroc } from "../math/auroc.ts";
import { type RocPoint, rocCurve } from "../math/roc-curve.ts";
import { hasBothClasses } from "../probes/cross-validate.ts";
import { drawChart } from "./chart.ts";
import { html, type SafeHtml } from "./html.ts";
import { drawLegend, makeSeries } from "./series.ts";

/** ROC curves of the three trained scores against incorrectness on one split. */
export function drawRocFigure(title: string, scores: SplitScores): SafeHtml {
  const curves = [
    traceCurve("Accuracy probe", scores.accuracyProbe, scores.incorrect),
    traceCurve("SE probe", scores.seProbe, scores.incorrect),
    traceCurve("Entropy baseline", scores.entropyBaseline, scores.incorrect),
  ];
  const series = makeSeries(curves.map((curve) => curve.name));
  const drawn = curves.filter((curve) => curve.points !== null);
  if (drawn.length === 0) {
    return html`<figure><figcaption>${title}</figcaption><p class="quiet">No curve: no score has both right and wrong answers.</p></figure>`;
  }
  const label = `ROC curves, ${title}. ${drawn.map((curve) => `${curve.name}: AUROC ${curve.note}`).join(". ")}.`;
  const chart = drawChart(label, {
    x: { domain: [0, 1], label: "False positive rate: right answers flagged", ticks: 5 },
    y: { domain: [0, 1], label: "True positive rate: wrong answers flagged", ticks: 5, grid: true },
    marks: [
      ruleX([0], { stroke: "var(--rule)" }),
      line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: "var(--rule)", strokeDasharray: "3 3" },
      ),
      ...curves.flatMap((curve, i) =>
        curve.points === null
          ? []
          : [
              line(curve.points, {
                x: "falsePositiveRate",
                y: "truePositiveRate",
                stroke: series[i]!.color,
                strokeDasharray: series[i]!.dash,
                strokeWidth: 2,
              }),
            ],
      ),
    ],
  });
  const legend = drawLegend(curves.map((curve, i) => ({ series: series[i]!, note: curve.note })));
  return html`<figure><figcaption>${title}</figcaption>${chart}${legend}</figure>`;
}

function traceCurve(
  name: string,
  scores: Float64Array,
  incorrect: Uint8Array,
): { readonly name: string; readonly points: RocPoint[] | null; readonly note: string } {
  const rows = Array.from(scores.keys()).filter((row) => !Number.isNaN(scores[row]));
  const labels = rows.map((row) => incorrect[row]!);
  if (!hasBothClasses(labels)) return { name, points: null, note: "no curve" };
  const own = rows.map((row) => scores[row]!);
  return { name, points: rocCurve(own, labels), note: auroc(own, labels).toFixed(3) };
}
