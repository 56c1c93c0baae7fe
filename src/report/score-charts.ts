import { barX, dot, ruleX, ruleY, text } from "@observablehq/plot";
import { judgePromise } from "../evaluation/checks.ts";
import type { ScoreEvaluation } from "../evaluation/evaluate-score.ts";
import { HELD_OUT_SPLITS, type HeldOutSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
import { wordsOfRows } from "../evaluation/row-words.ts";
import { SCORE_INFO, SCORE_NAMES, type ScoreName } from "../evaluation/score-names.ts";
import { formatInterval, formatNumber, formatPercent } from "../text/format-numbers.ts";
import { drawChart, lookOf, REFERENCE_LINE } from "./chart.ts";
import { type Figure, titleOf } from "./figure.ts";

/** A line of the forest plot: a heading, or a score. */
type ForestRow =
  | { readonly at: number; readonly group: string }
  | { readonly at: number; readonly score: ScoreName };

const ROW_HEIGHT = 21;
const FOREST_LEFT = 184;
const FOREST_RIGHT = 76;

/** Every score's AUROC with its interval, in and out of distribution, by when it is known. */
export function makeForestFigure(evaluation: ProbeEval): Figure {
  const words = wordsOfRows(evaluation.units);
  const splits = HELD_OUT_SPLITS.flatMap((split) => {
    const own = evaluation[split];
    return own === undefined ? [] : [{ split, scores: own.scores }];
  });
  const known = SCORE_NAMES.filter((name) => splits.some(({ scores }) => scores[name].auc !== null));
  const rows = listRows(known);
  const points = rows.flatMap((row) =>
    "score" in row
      ? splits.flatMap(({ split, scores }) => pointsOf(row.score, row.at, split, scores[row.score]))
      : [],
  );
  const lowest = Math.min(0.45, ...points.map(({ low }) => low));
  const start = Math.max(0, Math.floor(lowest * 10) / 10);
  const summary = known
    .map((name) =>
      splits
        .map(({ split, scores }) => `${titleOf(name)}, ${SHORT[split]}: ${formatNumber(scores[name].auc, 2)}`)
        .join("; "),
    )
    .join(". ");
  const chart =
    points.length === 0
      ? null
      : drawChart(`AUROC of each score. ${summary}.`, {
          height: 64 + ROW_HEIGHT * rows.length,
          marginLeft: FOREST_LEFT,
          marginRight: FOREST_RIGHT,
          marginTop: 24,
          x: { domain: [start, 1], label: `AUROC at finding ${words.wrong}`, ticks: 5, grid: true },
          y: { domain: [rows.length - 0.5, -0.5], axis: null },
          marks: [
            ruleX([0.5], { stroke: "var(--rule)", strokeDasharray: "3 3" }),
            ...splits.map(({ split }, i) =>
              text([SHORT[split]], {
                x: [1],
                y: [-0.5],
                dx: columnOf(i, splits.length),
                dy: -8,
                textAnchor: "end",
                fill: "var(--quiet)",
              }),
            ),
            text(
              rows.filter((row) => "group" in row),
              {
                x: start,
                y: "at",
                dx: -FOREST_LEFT,
                textAnchor: "start",
                text: "group",
                fontWeight: "bold",
                fill: "var(--quiet)",
              },
            ),
            text(
              rows.filter((row) => "score" in row),
              {
                x: start,
                y: "at",
                dx: -FOREST_LEFT + 8,
                textAnchor: "start",
                text: ({ score }: { readonly score: ScoreName }) => titleOf(score),
                fill: "currentColor",
              },
            ),
            ruleY(points, { x1: "low", x2: "high", y: "at", stroke: "color", strokeWidth: 1.6 }),
            dot(points, {
              x: "auc",
              y: "at",
              r: 3.4,
              fill: ({ split, color }: ForestPoint) => (split === "math_test" ? color : "var(--paper)"),
              stroke: "color",
              strokeWidth: 1.6,
            }),
            ...splits.map(({ split }, i) =>
              text(
                points.filter((point) => point.split === split),
                {
                  x: 1,
                  y: "row",
                  dx: columnOf(i, splits.length),
                  textAnchor: "end",
                  text: ({ auc }: ForestPoint) => formatNumber(auc, 2),
                  fill: "currentColor",
                  fontVariant: "tabular-nums",
                },
              ),
            ),
          ],
          color: { type: "identity" },
        });
  return {
    name: "scores",
    title: splits.length < 2 ? "Every score" : "Every score, in and out of distribution",
    heading: `AUROC of every score at finding ${words.wrong}`,
    chart,
    empty: `There are no ${words.wrong} or no ${words.right} with a score.`,
    legend:
      chart === null
        ? []
        : [
            { mark: { kind: "disc", color: "currentColor" }, name: "Test questions", note: "" },
            ...(splits.length < 2
              ? []
              : [
                  {
                    mark: { kind: "circle", color: "currentColor" } as const,
                    name: "Out of distribution",
                    note: "",
                  },
                ]),
            { mark: { kind: "line", color: "currentColor", dash: "none" }, name: "95% interval", note: "" },
            { mark: REFERENCE_LINE, name: "Chance", note: "" },
          ],
    note: null,
    below: null,
    data: {
      columns: ["score", "split", "auroc", "low_95", "high_95"],
      rows: points.map(({ score, split, auc, low, high }) => [score, split, auc, low, high]),
    },
  };
}

const SHORT: Readonly<Record<HeldOutSplit, string>> = { math_test: "test", ood_test: "OOD" };

/** Right of the plot, from the end of the axis. */
const columnOf = (place: number, count: number): number => (count === 1 ? 40 : 36 + 36 * place);

interface ForestPoint {
  readonly score: ScoreName;
  readonly split: HeldOutSplit;
  readonly row: number;
  readonly at: number;
  readonly auc: number;
  readonly low: number;
  readonly high: number;
  readonly color: string;
}

function pointsOf(
  score: ScoreName,
  row: number,
  split: HeldOutSplit,
  { auc, auc_intervals }: ScoreEvaluation,
): ForestPoint[] {
  if (auc === null) return [];
  const { low = auc, high = auc } = auc_intervals.find(({ level }) => level === 0.95) ?? {};
  const at = row + (split === "math_test" ? -0.17 : 0.17);
  return [{ score, split, row, at, auc, low, high, color: lookOf(score).color }];
}

function listRows(known: readonly ScoreName[]): ForestRow[] {
  const rows: ForestRow[] = [];
  let group = "";
  for (const score of known) {
    const next = forestGroup(score);
    if (next !== group) rows.push({ at: rows.length, group: next });
    group = next;
    rows.push({ at: rows.length, score });
  }
  return rows;
}

function forestGroup(score: ScoreName): string {
  const { kind, moment } = SCORE_INFO[score];
  if (kind === "probe") return "Hidden states";
  if (kind === "sampling") return "Further samples";
  return moment === "before" ? "Before generation" : moment === "during" ? "During" : "After the answer";
}

const PROMISE_LEFT = 92;

/** What a threshold of the audited probe promised, and what it achieved on each held-out split. */
export function makePromiseFigure({ audit, decisions = [] }: ProbeEval): Figure {
  const own = decisions.filter(({ score, threshold }) => score === audit.probe && threshold !== null);
  const bars = own.flatMap((decision) =>
    HELD_OUT_SPLITS.flatMap((split) => {
      const achieved = decision.achieved[split];
      const verdict = judgePromise(decision, split);
      if (achieved === undefined || verdict === null) return [];
      const { estimate, intervals } = decision.kind === "risk" ? achieved.risk : achieved.coverage;
      const { low = estimate, high = estimate } = intervals.find(({ level }) => level === 0.95) ?? {};
      return [
        {
          kind: decision.kind,
          promise: promiseOf(decision),
          target: decision.target,
          split: split === "math_test" ? "Test" : "OOD",
          estimate,
          low,
          high,
          verdict,
          shown: `${formatPercent(estimate, 1)}, ${VERDICTS[verdict]}`,
          interval: formatInterval(intervals),
        },
      ];
    }),
  );
  const summary = bars.map(({ promise, split, shown }) => `${promise}; ${split}: ${shown}`).join(". ");
  const promises = [...new Set(bars.map(({ promise }) => promise))];
  const lines = bars.length;
  const chart =
    lines === 0
      ? null
      : drawChart(`Promised and achieved. ${summary}.`, {
          height: 56 + 32 * promises.length + 24 * lines,
          marginLeft: PROMISE_LEFT,
          marginRight: 20,
          marginTop: 26,
          facet: { data: bars, y: "promise" },
          fy: { domain: promises, axis: null, padding: 0.34 },
          x: { domain: [0, 1], label: "Share of all answers", ticks: 5, tickFormat: "%" },
          y: {
            type: "band",
            domain: [...new Set(bars.map(({ split }) => split))],
            label: null,
            padding: 0.3,
            tickSize: 0,
          },
          marks: [
            barX(bars, {
              x1: 0,
              x2: "estimate",
              y: "split",
              fill: ({ verdict }: (typeof bars)[number]) => PROMISE_COLOURS[verdict],
              fillOpacity: 0.35,
            }),
            ruleY(bars, {
              x1: "low",
              x2: "high",
              y: "split",
              stroke: ({ verdict }: (typeof bars)[number]) => PROMISE_COLOURS[verdict],
              strokeWidth: 2,
            }),
            ruleX(bars, { x: "target", stroke: "currentColor", strokeWidth: 2 }),
            text(bars, {
              x: ({ high, target }: (typeof bars)[number]) =>
                Math.max(high, target) > 0.68 ? 0 : Math.max(high, target),
              y: "split",
              dx: 8,
              textAnchor: "start",
              text: "shown",
              fill: "currentColor",
            }),
            text(
              promises.map((promise) => ({ promise })),
              {
                fy: "promise",
                text: "promise",
                frameAnchor: "top-left",
                dx: -PROMISE_LEFT + 4,
                dy: -13,
                textAnchor: "start",
                fontWeight: "bold",
                fill: "currentColor",
              },
            ),
          ],
          color: { type: "identity" },
        });
  return {
    name: "promises",
    title: `What ${SCORE_INFO[audit.probe].phrase} promised, and what it kept`,
    heading: `Promised and achieved: ${titleOf(audit.probe).toLowerCase()}`,
    chart,
    empty: decisions.find(({ score }) => score === audit.probe)?.reason ?? "No threshold was chosen.",
    legend:
      chart === null
        ? []
        : [
            {
              mark: { kind: "line", color: "currentColor", dash: "none" },
              name: "Target",
              note: "vertical line",
            },
            {
              mark: { kind: "band", color: "var(--right)" },
              name: "Achieved",
              note: "with its 95% interval",
            },
          ],
    note: null,
    below: null,
    data: {
      columns: ["target", "promised", "split", "achieved", "low_95", "high_95", "verdict"],
      rows: bars.map(({ kind, target, split, estimate, low, high, verdict }) => [
        kind,
        target,
        split.toLowerCase(),
        estimate,
        low,
        high,
        verdict,
      ]),
    },
  };
}

const promiseOf = ({ kind, target }: { readonly kind: string; readonly target: number }): string =>
  kind === "risk"
    ? `At most ${formatPercent(target, 1)} given and wrong`
    : `At least ${formatPercent(target, 1)} given`;

const VERDICTS = { kept: "kept", near: "within its error", missed: "missed" } as const;
const PROMISE_COLOURS = { kept: "var(--right)", near: "var(--quiet)", missed: "var(--bad)" } as const;
