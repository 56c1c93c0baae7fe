import { cell, text } from "@observablehq/plot";
import { capitalise } from "../evaluation/checks.ts";
import { HELD_OUT_SPLITS } from "../evaluation/probe-eval.ts";
import { wordsOfRows } from "../evaluation/row-words.ts";
import { TRANSFER_PROBE_TITLES, TRANSFER_PROBES, type TransferEval } from "../evaluation/transfer-eval.ts";
import { formatNumber } from "../text/format-numbers.ts";
import { CHART_WIDTH, drawChart, FONT_SIZE, SHADE_ENTRY, shadeOf } from "./chart.ts";
import { type CurveFigure, makeCurveFigure, makeReliabilityFigure } from "./curve-chart.ts";
import { makeEntropyFigure, makeEntropyScatter } from "./entropy-charts.ts";
import { type Figure, type FigureName, listFigures } from "./figure.ts";
import { fitText, textWidth } from "./figure-svg.ts";
import { makeLayerFigure } from "./layer-charts.ts";
import type { ReportContent } from "./report-content.ts";
import { makeForestFigure, makePromiseFigure } from "./score-charts.ts";

const CURVES: readonly CurveFigure[] = ["roc", "precision-recall", "risk-coverage"];

/** Every figure of a report, by name; those of `listFigures`, in its order. */
export function makeFigures(content: ReportContent): ReadonlyMap<FigureName, Figure> {
  const { evaluation, layerScores, entropies, testScores, transfer } = content;
  const { probes, se_threshold: threshold } = evaluation;
  const words = wordsOfRows(evaluation.units);
  const splits = HELD_OUT_SPLITS.flatMap((split) => {
    const own = evaluation[split];
    if (own === undefined) return [];
    return [
      ...CURVES.map((curve) => makeCurveFigure(curve, split, own, evaluation.audit.rival, words)),
      makeReliabilityFigure(split, own),
    ];
  });
  const figures = [
    ...splits,
    makeForestFigure(evaluation),
    makePromiseFigure(evaluation),
    makeLayerFigure(`${capitalise(words.wrong)}, by layer`, layerScores, "incorrect", probes.accuracy_probe),
    makeLayerFigure("High semantic entropy, by layer", layerScores, "high-semantic-entropy", probes.se_probe),
    makeEntropyFigure(entropies, threshold),
    makeEntropyScatter(testScores, threshold.threshold),
    ...(transfer === null ? [] : [makeTransferFigure(transfer)]),
  ];
  const byName = new Map(figures.map((figure) => [figure.name, figure]));
  const names = listFigures(evaluation.ood_test !== undefined, transfer !== null);
  return new Map(names.map((name) => [name, byName.get(name)!]));
}

const MARGIN_LEFT = 150;
const MARGIN_RIGHT = 110;
/** Between the names of rows and the axis, and left of them for its label. */
const ROW_GAP = 32;

/** AUROC against incorrectness of probes trained on one data set, evaluated on each. */
function makeTransferFigure({ datasets, matrix }: TransferEval): Figure {
  const names = datasets.map(({ name }) => name);
  const cells = matrix.flatMap((each) =>
    TRANSFER_PROBES.flatMap((probe) => {
      const area = each[probe].auc;
      return area === null
        ? []
        : [
            {
              probe: TRANSFER_PROBE_TITLES[probe],
              source: each.source ?? "",
              target: each.target,
              area,
              shade: shadeOf(area),
            },
          ];
    }),
  );
  const places = new Map(names.map((name, i) => [name, i + 1]));
  const columnWidth = (CHART_WIDTH - MARGIN_LEFT - MARGIN_RIGHT) / Math.max(names.length, 1);
  const areNumbered = names.some((name) => textWidth(name) * FONT_SIZE > columnWidth);
  const columnName = (name: string): string => (areNumbered ? String(places.get(name)) : name);
  const rowName = (name: string): string =>
    fitText(areNumbered ? `${places.get(name)} ${name}` : name, (MARGIN_LEFT - ROW_GAP) / FONT_SIZE);
  const summary = cells
    .map(({ probe, source, target, area }) => `${probe} from ${source} to ${target}: ${formatNumber(area)}`)
    .join(". ");
  const chart =
    cells.length === 0
      ? null
      : drawChart(`Transfer between data sets. ${summary}.`, {
          height: 118 + 2 * 36 * names.length,
          marginLeft: MARGIN_LEFT,
          marginRight: MARGIN_RIGHT,
          facet: { data: cells, y: "probe" },
          fy: {
            label: null,
            axis: "right",
            domain: TRANSFER_PROBES.map((probe) => TRANSFER_PROBE_TITLES[probe]),
          },
          x: { type: "band", domain: names, label: "Evaluated on", padding: 0.04, tickFormat: columnName },
          y: { type: "band", domain: names, label: "Trained on", padding: 0.04, tickFormat: rowName },
          opacity: { type: "identity" },
          marks: [
            cell(cells, { x: "target", y: "source", fill: "var(--series-1)", fillOpacity: "shade" }),
            text(cells, {
              x: "target",
              y: "source",
              text: ({ area }) => formatNumber(area, 2),
              fill: "currentColor",
            }),
          ],
        });
  return {
    name: "transfer",
    title: "Trained on one data set, evaluated on another",
    heading: "Transfer: trained on one data set, evaluated on another",
    chart,
    empty: "No data set has both right and wrong answers.",
    legend: chart === null ? [] : [SHADE_ENTRY],
    note: null,
    below: null,
    data: {
      columns: ["source", "target", "probe", "auroc"],
      rows: matrix.flatMap((each) =>
        TRANSFER_PROBES.map((probe) => [each.source, each.target, probe, each[probe].auc]),
      ),
    },
  };
}
