import { dot, line, ruleX } from "@observablehq/plot";
import type { CalibrationQuality } from "../evaluation/evaluate-calibration.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { drawChart } from "./chart.ts";
import { type Figure, HELD_OUT, type HeldOutSplit } from "./figure.ts";
import { describeSeries, makeSeries, REFERENCE_LINE } from "./legend.ts";
import { SPLIT_QUESTIONS, SPLIT_TITLES } from "./titles.ts";

/** Whose probabilities are shown: each against the label that it predicts. */
const SHOWN = [
  { name: "Accuracy probe", key: "accuracy_probe" },
  { name: "SE probe (high entropy)", key: "se_probe_high_se" },
] as const;

/** How often label 1 is true where a probe says how likely it is, before and after calibration on validation. */
export function makeReliabilityFigure(split: HeldOutSplit, evaluation: SplitEvaluation): Figure {
  const found = SHOWN.flatMap(({ name, key }) => {
    const own = evaluation.calibration[key];
    if (own === null) return [];
    return [
      { name, score: key, map: "none", quality: own as CalibrationQuality },
      ...(own.platt === null
        ? []
        : [{ name: `${name}, calibrated`, score: key, map: "platt", quality: own.platt }]),
    ];
  });
  const series = makeSeries(found.map(({ name }) => name));
  const notes = found.map(({ quality }, i) => ({
    series: series[i]!,
    note: `ECE ${formatNumber(quality.ece)}, Brier ${formatNumber(quality.brier)}`,
  }));
  const rows = Math.max(...found.flatMap(({ quality }) => quality.bins.map((bin) => bin.row_count)), 1);
  const label = `Reliability, ${SPLIT_TITLES[split]}. ${notes.map(({ series: { name }, note }) => `${name}: ${note}`).join(". ")}.`;
  const chart =
    found.length === 0
      ? null
      : drawChart(label, {
          x: { domain: [0, 1], label: "Predicted probability", ticks: 5 },
          y: { domain: [0, 1], label: "Observed share", ticks: 5, grid: true },
          r: { range: [2, 7], domain: [0, rows] },
          marks: [
            ruleX([0], { stroke: "var(--rule)" }),
            line(
              [
                [0, 0],
                [1, 1],
              ],
              { stroke: "var(--rule)", strokeDasharray: "3 3" },
            ),
            ...found.flatMap(({ quality: { bins } }, i) => [
              line(bins, {
                x: "mean_probability",
                y: "positive_share",
                stroke: series[i]!.color,
                strokeDasharray: series[i]!.dash,
                strokeWidth: 1.5,
                strokeOpacity: 0.5,
              }),
              dot(bins, {
                x: "mean_probability",
                y: "positive_share",
                r: "row_count",
                fill: series[i]!.color,
              }),
            ]),
          ],
        });
  return {
    name: `reliability-${HELD_OUT[split]}`,
    title: SPLIT_TITLES[split],
    heading: `Reliability, ${SPLIT_QUESTIONS[split]}`,
    chart,
    empty: "No probe has probabilities here.",
    legend:
      chart === null
        ? []
        : [
            ...describeSeries(notes),
            {
              mark: { kind: "dot", color: "var(--quiet)" },
              name: "Dot",
              note: "a tenth of the range, larger with more answers",
            },
            { mark: REFERENCE_LINE, name: "Calibrated", note: "a probability is what it says" },
          ],
    note: null,
    below: null,
    data: {
      columns: ["score", "calibration", "from", "to", "mean_probability", "positive_share", "rows"],
      rows: found.flatMap(({ score, map, quality }) =>
        quality.bins.map((bin) => [
          score,
          map,
          bin.low,
          bin.high,
          bin.mean_probability,
          bin.positive_share,
          bin.row_count,
        ]),
      ),
    },
  };
}
