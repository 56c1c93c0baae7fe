import { areaY, line, ruleX, ruleY } from "@observablehq/plot";
import type { ScoreName, SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { CURVE_GRID, type ScoreCurves } from "../evaluation/score-curves.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { drawChart } from "./chart.ts";
import type { Figure, SplitFigure } from "./figure.ts";
import { HELD_OUT, type HeldOutSplit } from "./figure.ts";
import { describeSeries, type LegendEntry, makeSeries, REFERENCE_LINE } from "./legend.ts";
import { SCORE_TITLES, SPLIT_QUESTIONS, SPLIT_TITLES } from "./titles.ts";

/** The curves that a score has. */
export type CurveFigure = Exclude<SplitFigure, "reliability">;

/** Scores that have a line; more would hide each other. */
const SHOWN: readonly ScoreName[] = [
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
  /** What stands behind a score's name. */
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
    y: "Precision: wrong answers among the flagged",
    note: ({ scores }, score) => `AUPRC ${formatNumber(scores[score].auprc)}`,
  },
  "risk-coverage": {
    title: "Risk and coverage",
    curve: "risk_coverage",
    x: "Coverage: answers given, the least uncertain first",
    y: "Risk: wrong answers among the given",
    note: ({ rejection }, score) =>
      `accuracy ${formatPercent(rejection[score]?.accuracy_at_80 ?? null)} at 80% coverage`,
  },
};

/** One kind of curve of the main scores against incorrectness, with bands from resampled questions. */
export function makeCurveFigure(kind: CurveFigure, split: HeldOutSplit, evaluation: SplitEvaluation): Figure {
  const { title, curve, x, y, note } = LOOKS[kind];
  const series = makeSeries(SHOWN.map((score) => SCORE_TITLES[score]));
  const drawn = SHOWN.flatMap((score, i) => {
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

/** Of every score; this colour stands for all of them. */
const BAND_ENTRY: LegendEntry = {
  mark: { kind: "band", color: "var(--quiet)" },
  name: "Bands",
  note: "pointwise 90% of curves of resampled questions",
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
