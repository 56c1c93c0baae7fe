import { rectY, ruleX, ruleY, text } from "@observablehq/plot";
import { formatNumber } from "../text/format-numbers.ts";
import { drawChart } from "./chart.ts";
import type { Figure } from "./figure.ts";

const BIN_COUNT = 20;

/**
 * How many questions have which semantic entropy, with the threshold above which it counts as high.
 * @param entropies [Q] nats
 */
export function makeEntropyFigure(
  entropies: readonly number[],
  { method, threshold }: { readonly method: string; readonly threshold: number },
): Figure {
  const high = entropies.filter((entropy) => entropy > threshold).length;
  const agreeing = entropies.filter((entropy) => entropy === 0).length;
  const summary =
    `${entropies.length} questions: the samples of ${agreeing} all agree, and ${high} lie above the threshold of ` +
    `${formatNumber(threshold)} nats (${method}).`;
  const largest = Math.max(...entropies, threshold, 0.1);
  const step = largest / BIN_COUNT;
  const bins = binEntropies(entropies, step);
  const chart = drawChart(`Histogram of discrete semantic entropy. ${summary}`, {
    marginTop: 34,
    x: { label: "Discrete semantic entropy, nats", domain: [0, largest + step] },
    y: { label: "Questions", grid: true },
    marks: [
      rectY(bins, {
        x1: "from",
        x2: "to",
        y: "count",
        fill: "var(--series-1)",
        inset: 0.5,
      }),
      ruleY([0], { stroke: "currentColor" }),
      ruleX([threshold], { stroke: "var(--series-2)", strokeWidth: 2 }),
      text([`threshold ${formatNumber(threshold, 2)}`], {
        x: [threshold],
        frameAnchor: "top",
        dy: -14,
        textAnchor: threshold > largest * 0.75 ? "end" : threshold < largest * 0.2 ? "start" : "middle",
        fill: "currentColor",
      }),
    ],
  });
  return {
    name: "entropy-histogram",
    title: "Semantic entropy of the questions",
    heading: "Semantic entropy of the in-distribution questions",
    chart: entropies.length === 0 ? null : chart,
    empty: "No question has semantic entropy.",
    legend:
      entropies.length === 0
        ? []
        : [
            {
              mark: { kind: "bar", color: "var(--series-1)" },
              name: "Questions",
              note: `in bins of ${formatNumber(step, 3)} nats`,
            },
            {
              mark: { kind: "line", color: "var(--series-2)", dash: "none" },
              name: "Threshold of high entropy",
              note: `${formatNumber(threshold)} nats`,
            },
          ],
    note: entropies.length === 0 ? null : summary,
    below: null,
    data: {
      columns: ["from_nats", "to_nats", "questions"],
      rows: bins.map(({ from, to, count }) => [from, to, count]),
    },
  };
}

/** Counts in bins [i step, (i + 1) step). */
function binEntropies(
  entropies: readonly number[],
  step: number,
): { readonly from: number; readonly to: number; readonly count: number }[] {
  const counts = new Array<number>(BIN_COUNT + 1).fill(0);
  for (const entropy of entropies) {
    const bin = Math.min(Math.floor(entropy / step), BIN_COUNT);
    counts[bin] = counts[bin]! + 1;
  }
  return counts.map((count, bin) => ({ from: bin * step, to: (bin + 1) * step, count }));
}
