import { areaY, dot, line, type Markish, rectY, ruleX, ruleY, text } from "@observablehq/plot";
import type { CalibrationQuality } from "../evaluation/evaluate-calibration.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import type { HeldOutSplit } from "../evaluation/probe-eval.ts";
import type { RowWords } from "../evaluation/row-words.ts";
import { CURVE_GRID, type ScoreCurves } from "../evaluation/score-curves.ts";
import type { ScoreName } from "../evaluation/score-names.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { drawChart, type LegendEntry, lookOf, REFERENCE_LINE } from "./chart.ts";
import {
  type Figure,
  SPLIT_FILES,
  SPLIT_QUESTIONS,
  SPLIT_TITLES,
  type SplitFigure,
  titleOf,
} from "./figure.ts";

/** The curves that a score has. */
export type CurveFigure = Exclude<SplitFigure, "reliability">;

/** Scores that have a line in every report; more would hide each other. */
const SHOWN_SCORES: readonly ScoreName[] = [
  "accuracy_probe",
  "se_probe",
  "entropy_baseline",
  "semantic_entropy",
];

interface CurveLook {
  readonly title: string;
  readonly curve: keyof ScoreCurves;
  readonly x: (words: RowWords) => string;
  readonly y: (words: RowWords) => string;
  /** Shown after a score's name. */
  readonly note: (split: SplitEvaluation, score: ScoreName) => string;
  /** Where curves leave room for their names. */
  readonly corner: "bottom-right" | "top-left" | "bottom-left";
}

const LOOKS: Readonly<Record<CurveFigure, CurveLook>> = {
  roc: {
    title: "ROC curves",
    curve: "roc",
    x: ({ right }) => `False positive rate: ${right} flagged`,
    y: ({ wrong }) => `True positive rate: ${wrong} flagged`,
    note: ({ scores }, score) => `AUROC ${formatNumber(scores[score].auc, 2)}`,
    corner: "bottom-right",
  },
  "precision-recall": {
    title: "Precision and recall",
    curve: "precision_recall",
    x: ({ wrong }) => `Recall: ${wrong} flagged`,
    y: ({ wrong }) => `Precision: ${wrong} among those flagged`,
    note: ({ scores }, score) => `AUPRC ${formatNumber(scores[score].auprc, 2)}`,
    corner: "bottom-left",
  },
  "risk-coverage": {
    title: "Risk and coverage",
    curve: "risk_coverage",
    x: ({ rows }) => `Coverage: ${rows} given, the least uncertain first`,
    y: ({ wrong }) => `Risk: ${wrong} among those given`,
    note: ({ rejection }, score) => `AUGRC ${formatNumber(rejection[score]?.augrc ?? null, 3)}`,
    corner: "top-left",
  },
};

/**
 * One kind of curve of the main scores against incorrectness, with bands from resampled questions.
 * @param rival a further score to show; null for none
 */
export function makeCurveFigure(
  kind: CurveFigure,
  split: HeldOutSplit,
  evaluation: SplitEvaluation,
  rival: ScoreName | null,
  words: RowWords,
): Figure {
  const { title, curve, x, y, note, corner } = LOOKS[kind];
  const shown = rival === null || SHOWN_SCORES.includes(rival) ? SHOWN_SCORES : [...SHOWN_SCORES, rival];
  const drawn = shown.flatMap((score) => {
    const curves = evaluation.curves[score];
    return curves === null
      ? []
      : [
          {
            score,
            name: titleOf(score),
            look: lookOf(score),
            note: note(evaluation, score),
            ...curves[curve],
          },
        ];
  });
  const named = `${title}, ${SPLIT_TITLES[split]}`;
  const { rows, incorrect } = evaluation.counts;
  const label = `${named}. ${drawn.map((each) => `${each.name}: ${each.note}`).join(". ")}.`;
  const chart =
    drawn.length === 0
      ? null
      : drawChart(label, {
          x: { domain: [0, 1], label: x(words), ticks: 5 },
          y: { domain: [0, 1], label: y(words), ticks: 5, grid: true },
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
            ...nameCurves(drawn, corner),
          ],
        });
  return {
    name: `${kind}-${SPLIT_FILES[split]}`,
    title: SPLIT_TITLES[split],
    heading: `${title}, ${SPLIT_QUESTIONS[split]}`,
    chart,
    empty: `No curve: there are no ${words.wrong} or no ${words.right} with a score.`,
    legend:
      chart === null
        ? []
        : [
            BAND_ENTRY,
            kind === "roc"
              ? { mark: REFERENCE_LINE, name: "Chance", note: "" }
              : {
                  mark: REFERENCE_LINE,
                  name: `All ${words.rows}`,
                  note: `${formatPercent(incorrect / rows)} ${words.wrongly}`,
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

interface NamedCurve {
  readonly name: string;
  readonly note: string;
  readonly look: { readonly color: string; readonly dash: string };
}

const LINE_HEIGHT = 15;
/** Dash patterns in letters, so that colour is not the only cue. */
const DASHES: Readonly<Record<string, string>> = {
  none: "——",
  "7 3": "– –",
  "2 3": "····",
  "9 3 2 3": "–·–",
};

/** The names of a chart's curves in their colours, in a corner, each after a piece of its line. */
function nameCurves(curves: readonly NamedCurve[], corner: CurveLook["corner"]): Markish[] {
  const isRight = corner.endsWith("right");
  const isTop = corner.startsWith("top");
  return curves.flatMap(({ name, note, look }, i) => {
    const dy = isTop ? 8 + LINE_HEIGHT * i : -10 - LINE_HEIGHT * (curves.length - 1 - i);
    const words = `${DASHES[look.dash] ?? "——"}  ${name}  ${note.replace(/^\S+ /, "")}`;
    const head = i === 0 ? `${words} ${note.split(" ")[0]}` : words;
    return [
      text([head], {
        frameAnchor: corner,
        dx: isRight ? -6 : 8,
        dy,
        textAnchor: isRight ? "end" : "start",
        fill: look.color,
        stroke: "var(--paper)",
        strokeWidth: 4,
        paintOrder: "stroke",
        fontWeight: 600,
      }),
    ];
  });
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

/** Of the axis, for the bar of the bin with the most answers. */
const COUNT_SHARE = 0.22;

/**
 * How often label 1 is true where a probe says how likely it is: a panel per probe, calibrated on validation where that was possible, with
 * the count of answers in each bin.
 */
export function makeReliabilityFigure(split: HeldOutSplit, evaluation: SplitEvaluation): Figure {
  const found = SHOWN_PROBES.flatMap(({ name, key }) => {
    const own = evaluation.calibration[key];
    return own === null
      ? []
      : [{ name, key, look: lookOf(key), raw: own as CalibrationQuality, platt: own.platt }];
  });
  const panels = found.map((each) => ({
    ...each,
    shown: each.platt ?? each.raw,
    note: `ECE ${formatNumber((each.platt ?? each.raw).ece, 2)}${each.platt === null ? ", not calibrated" : `, before ${formatNumber(each.raw.ece, 2)}`}`,
  }));
  const label = `Reliability, ${SPLIT_TITLES[split]}. ${panels.map(({ name, note }) => `${name}: ${note}`).join(". ")}.`;
  const bins = panels.flatMap(({ name, look, shown }) => {
    const most = Math.max(...shown.bins.map((bin) => bin.row_count));
    return shown.bins.map((bin) => ({
      ...bin,
      panel: name,
      color: look.color,
      height: (COUNT_SHARE * bin.row_count) / most,
    }));
  });
  const before = panels.flatMap(({ name, raw, platt }) =>
    platt === null ? [] : raw.bins.map((bin) => ({ ...bin, panel: name })),
  );
  const chart =
    panels.length === 0
      ? null
      : drawChart(label, {
          height: 286,
          marginTop: 60,
          fx: { domain: panels.map(({ name }) => name), axis: null, padding: 0.16 },
          x: { domain: [0, 1], label: "Predicted probability", ticks: [0, 0.5, 1] },
          y: { domain: [0, 1], label: "Observed share", ticks: 5, grid: true },
          color: { type: "identity" },
          marks: [
            ...panels.flatMap(({ name, note, look }) => [
              text([name], {
                fx: [name],
                frameAnchor: "top-left",
                dy: -32,
                textAnchor: "start",
                fontWeight: 600,
                fill: look.color,
              }),
              text([note], {
                fx: [name],
                frameAnchor: "top-left",
                dy: -16,
                textAnchor: "start",
                fill: "var(--quiet)",
              }),
              line(DIAGONAL, { fx: () => name, stroke: "var(--rule)", strokeDasharray: "3 3" }),
            ]),
            rectY(bins, {
              fx: "panel",
              x1: "low",
              x2: "high",
              y: "height",
              fill: "color",
              fillOpacity: 0.25,
              inset: 0.5,
            }),
            text(bins, {
              fx: "panel",
              x: ({ low, high }: (typeof bins)[number]) => (low + high) / 2,
              y: "height",
              dy: -5,
              text: "row_count",
              fontSize: 8,
              fill: "var(--quiet)",
            }),
            line(before, {
              fx: "panel",
              x: "mean_probability",
              y: "positive_share",
              z: "panel",
              stroke: "var(--quiet)",
              strokeDasharray: "2 2",
            }),
            line(bins, {
              fx: "panel",
              x: "mean_probability",
              y: "positive_share",
              z: "panel",
              stroke: "color",
              strokeWidth: 1.5,
            }),
            dot(bins, { fx: "panel", x: "mean_probability", y: "positive_share", r: 3, fill: "color" }),
            ruleY([0], { stroke: "var(--rule)" }),
          ],
        });
  return {
    name: `reliability-${SPLIT_FILES[split]}`,
    title: SPLIT_TITLES[split],
    heading: `Reliability, ${SPLIT_QUESTIONS[split]}`,
    chart,
    empty: "No probe has calibrated probabilities.",
    legend:
      chart === null
        ? []
        : [
            { mark: { kind: "bar", color: "var(--quiet)" }, name: "Answers", note: "in each tenth" },
            ...(before.length === 0
              ? []
              : [
                  {
                    mark: { kind: "line", color: "var(--quiet)", dash: "2 2" } as const,
                    name: "Before calibration",
                    note: "",
                  },
                ]),
            { mark: REFERENCE_LINE, name: "Predicted equals observed", note: "" },
          ],
    note: null,
    below: null,
    data: {
      columns: ["score", "calibration", "from", "to", "mean_probability", "positive_share", "rows"],
      rows: found.flatMap(({ key, raw, platt }) =>
        [
          { map: "none", quality: raw },
          ...(platt === null ? [] : [{ map: "platt", quality: platt }]),
        ].flatMap(({ map, quality }) =>
          quality.bins.map((bin) => [
            key,
            map,
            bin.low,
            bin.high,
            bin.mean_probability,
            bin.positive_share,
            bin.row_count,
          ]),
        ),
      ),
    },
  };
}
