import { cell, text } from "@observablehq/plot";
import type { LayerScore, ProbeTarget } from "../probes/sweep/score-table.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { drawChart } from "./chart.ts";
import type { Figure } from "./figure.ts";
import { SHADE_ENTRY } from "./legend.ts";
import { shadeOf } from "./shade.ts";

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

/** Numbers fit into the cells of so many layers on a phone. */
const MOST_LABELS = 9;
const MOST_TICKS = 12;
