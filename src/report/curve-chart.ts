import { areaY, dot, line, ruleX, ruleY } from "@observablehq/plot";
import type { CalibrationQuality } from "../evaluation/evaluate-calibration.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { CURVE_GRID, type ScoreCurves } from "../evaluation/score-curves.ts";
import type { ScoreName } from "../evaluation/score-names.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { describeSeries, drawChart, type LegendEntry, makeSeries, REFERENCE_LINE } from "./chart.ts";
import {
  type Figure,
  HELD_OUT,
  type HeldOutSplit,
  SPLIT_QUESTIONS,
  SPLIT_TITLES,
  type SplitFigure,
  titleOf,
} from "./figure.ts";

/** The curves that a score has. */
export type CurveFigure = Exclude<SplitFigure, "reliability">;

/** Scores that have a line; more would hide each other. */
const SHOWN_SCORES: readonly ScoreName[] = [
  "accuracy_probe",
  "se_probe",
  "entropy_baseline",
  "discrete_semantic_entropy",
];

interface CurveLook {
  readonly title: string;
  readonly curve: keyof ScoreCurves;
  readonly x: string;
  readonly y: string;
  /** Shown after a score's name. */
  readonly note: (split: SplitEvaluation, score: ScoreName) => string;
}

const LOOKS: Readonly<Record<CurveFigure, CurveLook>> = {
  roc: {
    title: "ROC curves",
    curve: "roc",
    x: "False positive rate: right answers flagged",
    y: "True positive rate: wrong answers flagged",
    note: ({ scores }, score) => `AUROC ${formatNumber(scores[score].auc)}`,
  },
  "precision-recall": {
    title: "Precision and recall",
    curve: "precision_recall",
    x: "Recall: wrong answers flagged",
    y: "Precision: wrong answers among those flagged",
    note: ({ scores }, score) => `AUPRC ${formatNumber(scores[score].auprc)}`,
  },
  "risk-coverage": {
    title: "Risk and coverage",
    curve: "risk_coverage",
    x: "Coverage: answers given, the least uncertain first",
    y: "Risk: wrong answers among those given",
    note: ({ rejection }, score) =>
      `accuracy ${formatPercent(rejection[score]?.accuracy_at_80 ?? null)} at 80% coverage`,
  },
};

/** One kind of curve of the main scores against incorrectness, with bands from resampled questions. */
export function makeCurveFigure(kind: CurveFigure, split: HeldOutSplit, evaluation: SplitEvaluation): Figure {
  const { title, curve, x, y, note } = LOOKS[kind];
  const series = makeSeries(SHOWN_SCORES.map((score) => titleOf(score)));
  const drawn = SHOWN_SCORES.flatMap((score, i) => {
    const curves = evaluation.curves[score];
    return curves === null ? [] : [{ score, look: series[i]!, ...curves[curve] }];
  });
  const notes = drawn.map(({ score, look }) => ({ series: look, note: note(evaluation, score) }));
  const named = `${title}, ${SPLIT_TITLES[split]}`;
  const { rows, incorrect } = evaluation.counts;
  const label = `${named}. ${notes.map((each) => `${each.series.name}: ${each.note}`).join(". ")}.`;
  const chart =
    drawn.length === 0
      ? null
      : drawChart(label, {
          x: { domain: [0, 1], label: x, ticks: 5 },
          y: { domain: [0, 1], label: y, ticks: 5, grid: true },
          marks: [
            ruleX([0], { stroke: "var(--rule)" }),
            kind === "roc"
              ? line(DIAGONAL, { stroke: "var(--rule)", strokeDasharray: "3 3" })
              : ruleY([incorrect / rows], { stroke: "var(--rule)", strokeDasharray: "3 3" }),
            ...drawn.map(({ low, high, look }) =>
              areaY(
                low.map((value, i) => ({ at: CURVE_GRID[i], low: value, high: high[i] })),
                { x: "at", y1: "low", y2: "high", fill: look.color, fillOpacity: 0.1 },
              ),
            ),
            ...drawn.map(({ y: values, look }) =>
              line(
                values.map((value, i) => [CURVE_GRID[i], value]),
                { stroke: look.color, strokeDasharray: look.dash, strokeWidth: 2 },
              ),
            ),
          ],
        });
  return {
    name: `${kind}-${HELD_OUT[split]}`,
    title: SPLIT_TITLES[split],
    heading: `${title}, ${SPLIT_QUESTIONS[split]}`,
    chart,
    empty: "No curve: no score has both right and wrong answers.",
    legend:
      chart === null
        ? []
        : [
            ...describeSeries(notes),
            BAND_ENTRY,
            kind === "roc"
              ? { mark: REFERENCE_LINE, name: "Chance", note: "AUROC 0.5" }
              : {
                  mark: REFERENCE_LINE,
                  name: "Share of wrong answers",
                  note: formatPercent(incorrect / rows),
                },
          ],
    note: null,
    below: null,
    data: {
      columns: ["score", ...AXES[kind], "band_low", "band_high"],
      rows: drawn.flatMap(({ score, y: values, low, high }) =>
        values.map((value, i) => [score, CURVE_GRID[i]!, value, low[i] ?? null, high[i] ?? null]),
      ),
    },
  };
}

/** The bands of all scores; drawn in a neutral colour. */
const BAND_ENTRY: LegendEntry = {
  mark: { kind: "band", color: "var(--quiet)" },
  name: "Bands",
  note: "pointwise 90%, from resampled questions",
};

const DIAGONAL = [
  [0, 0],
  [1, 1],
] as const;

/** Column names of the two axes. */
const AXES: Readonly<Record<CurveFigure, readonly [string, string]>> = {
  roc: ["false_positive_rate", "true_positive_rate"],
  "precision-recall": ["recall", "precision"],
  "risk-coverage": ["coverage", "risk"],
};

/** Whose probabilities are shown: each against the label that it predicts. */
const SHOWN_PROBES = [
  { name: "Accuracy probe", key: "accuracy_probe" },
  { name: "SE probe (high entropy)", key: "se_probe_high_se" },
] as const;

/** How often label 1 is true where a probe says how likely it is, before and after calibration on validation. */
export function makeReliabilityFigure(split: HeldOutSplit, evaluation: SplitEvaluation): Figure {
  const found = SHOWN_PROBES.flatMap(({ name, key }) => {
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
    empty: "No probe has calibrated probabilities.",
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
            { mark: REFERENCE_LINE, name: "Calibrated", note: "predicted equals observed" },
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
