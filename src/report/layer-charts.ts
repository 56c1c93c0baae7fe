import { cell, dot, line, ruleY, text } from "@observablehq/plot";
import type { ProbeSummary } from "../evaluation/probe-eval.ts";
import type { LayerScore, ProbeTarget } from "../probes/probe.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { describeSeries, drawChart, makeSeries, REFERENCE_LINE, SHADE_ENTRY, shadeOf } from "./chart.ts";
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

/** AUROC of every position and layer as a map. */
export function makeLayerMap(title: string, scores: readonly LayerScore[], target: ProbeTarget): Figure {
  const cells = scores.flatMap(({ position, layer, auroc }) => {
    const area = auroc[target];
    return area === null ? [] : [{ position, layer, area, shade: shadeOf(area) }];
  });
  const layers = [...new Set(cells.map(({ layer }) => layer))].sort((a, b) => a - b);
  const positions = [...new Set(cells.map(({ position }) => position))];
  const best = cells.reduce<(typeof cells)[number] | null>(
    (most, each) => (most === null || each.area > most.area ? each : most),
    null,
  );
  const summary =
    best === null ? "" : `Highest: ${formatNumber(best.area)} at ${best.position}, layer ${best.layer}.`;
  const step = Math.max(1, Math.ceil(layers.length / MOST_TICKS));
  const chart =
    best === null
      ? null
      : drawChart(`${title}. ${summary}`, {
          height: 78 + 44 * positions.length,
          marginLeft: 140,
          x: {
            type: "band",
            domain: layers,
            ticks: layers.filter((_, i) => i % step === 0),
            label: "Layer",
            padding: 0.04,
          },
          y: { type: "band", domain: positions, label: "Token position", padding: 0.04 },
          marks: [
            cell(cells, {
              x: "layer",
              y: "position",
              fill: "var(--series-1)",
              fillOpacity: "shade",
              title: ({ position, layer, area }) => `${position}, layer ${layer}: ${formatNumber(area)}`,
            }),
            cell([best], { x: "layer", y: "position", stroke: "currentColor", strokeWidth: 2, fill: "none" }),
            ...(layers.length > MOST_LABELS
              ? []
              : [
                  text(cells, {
                    x: "layer",
                    y: "position",
                    text: ({ area }) => formatNumber(area, 2),
                    fill: "currentColor",
                  }),
                ]),
          ],
          opacity: { type: "identity" },
        });
  return {
    name: `layer-map-${target}`,
    title,
    heading: `${title}, cross-validated`,
    chart,
    empty: "No layer has a score; see the warnings.",
    legend:
      best === null
        ? []
        : [
            SHADE_ENTRY,
            {
              mark: { kind: "frame", color: "currentColor" },
              name: "Highest",
              note: `${formatNumber(best.area)} at ${best.position}, layer ${best.layer}`,
            },
          ],
    note: null,
    below: null,
    data: {
      columns: ["position", "layer", "auroc"],
      rows: scores.map(({ position, layer, auroc }) => [position, layer, auroc[target]]),
    },
  };
}

/** Up to this many layers, numbers fit into the cells on a phone. */
const MOST_LABELS = 9;
const MOST_TICKS = 12;
