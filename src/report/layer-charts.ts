import { dot, line, ruleY } from "@observablehq/plot";
import type { ProbeSummary } from "../evaluation/probe-eval.ts";
import type { LayerScore, ProbeTarget } from "../probes/probe.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { describeSeries, drawChart, makeSeries, REFERENCE_LINE } from "./chart.ts";
import type { Figure } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";

/** AUROC by layer, one line per position, for one target, from cross-validation on the training questions. */
export function makeLayerFigure(
  title: string,
  scores: readonly LayerScore[],
  target: ProbeTarget,
  chosen: ProbeSummary | null,
): Figure {
  const points = scores.flatMap((score) => {
    const area = score.auroc[target];
    return area === null ? [] : [{ position: score.position, layer: score.layer, auroc: area }];
  });
  const data = {
    columns: ["position", "layer", "auroc", "rows"],
    rows: scores.map((score) => [score.position, score.layer, score.auroc[target], score.row_count]),
  };
  const name = `layers-${target}` as const;
  const empty = "No layer has a score; see the warnings.";
  const heading = `${title}, cross-validated`;
  const nothing = { chart: null, empty, legend: [], note: null, below: null };
  if (points.length === 0) return { name, title, heading, ...nothing, data };
  const series = makeSeries([...new Set(scores.map((score) => score.position))]);
  const kept = points.filter((point) => point.position === chosen?.position && point.layer === chosen.layer);
  const lowest = Math.min(0.45, ...points.map((point) => point.auroc));
  const best = series.map((one) => ({ series: one, note: describeBest(points, one.name) }));
  const label = `${title}. ${best.map(({ series: one, note }) => `${one.name}: ${note}`).join(". ")}.`;
  const layers = [...new Set(points.map((point) => point.layer))];
  const chart = drawChart(label, {
    x: { label: "Layer", ticks: layers.length <= 16 ? layers : 8, tickFormat: "d", inset: 8 },
    y: { domain: [Math.floor(lowest * 20) / 20, 1], label: "AUROC, out of fold", grid: true, ticks: 6 },
    marks: [
      ruleY([0.5], { stroke: "var(--rule)", strokeDasharray: "3 3" }),
      ...series.map((one) =>
        line(
          points.filter((point) => point.position === one.name),
          {
            x: "layer",
            y: "auroc",
            stroke: one.color,
            strokeDasharray: one.dash,
            strokeWidth: 2,
          },
        ),
      ),
      dot(kept, { x: "layer", y: "auroc", r: 6, stroke: "currentColor", strokeWidth: 2 }),
    ],
  });
  return {
    name,
    title,
    heading,
    chart,
    empty,
    legend: [
      ...describeSeries(best),
      ...(kept.length === 0
        ? []
        : [
            {
              mark: { kind: "ring", color: "currentColor" } as const,
              name: "The probe of this study",
              note: "",
            },
          ]),
      { mark: REFERENCE_LINE, name: "Chance", note: "AUROC 0.5" },
    ],
    note: null,
    below: drawNumbers(title, scores, target),
    data,
  };
}

function describeBest(
  points: readonly { readonly position: string; readonly layer: number; readonly auroc: number }[],
  position: string,
): string {
  const own = points.filter((point) => point.position === position);
  if (own.length === 0) return "no score";
  const best = own.reduce((most, point) => (point.auroc > most.auroc ? point : most));
  return `best ${formatNumber(best.auroc)} at layer ${best.layer}`;
}

function drawNumbers(title: string, scores: readonly LayerScore[], target: ProbeTarget): SafeHtml {
  const positions = [...new Set(scores.map((score) => score.position))];
  const layers = [...new Set(scores.map((score) => score.layer))].sort((a, b) => a - b);
  const areaOf = (position: string, layer: number): number | null =>
    scores.find((score) => score.position === position && score.layer === layer)?.auroc[target] ?? null;
  return html`<details><summary>Numbers</summary><div class="wide" role="region" tabindex="0" aria-label="${title}, numbers"><table>
<caption>${title}</caption>
<thead><tr><th scope="col">Layer</th>${positions.map((position) => html`<th scope="col">${position}</th>`)}</tr></thead>
<tbody>${layers.map(
    (layer) =>
      html`<tr><th scope="row">${layer}</th>${positions.map((position) => html`<td>${formatNumber(areaOf(position, layer))}</td>`)}</tr>`,
  )}</tbody></table></div></details>`;
}
