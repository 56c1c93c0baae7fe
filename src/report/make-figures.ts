import { type CurveFigure, makeCurveFigure } from "./curve-chart.ts";
import { makeEntropyFigure } from "./entropy-chart.ts";
import { makeEntropyScatter } from "./entropy-scatter.ts";
import { type Figure, type FigureName, HELD_OUT_SPLITS, listFigures } from "./figure.ts";
import { makeLayerFigure } from "./layer-chart.ts";
import { makeLayerMap } from "./layer-map.ts";
import { makeReliabilityFigure } from "./reliability-chart.ts";
import type { ReportContent } from "./report-content.ts";
import { makeTransferFigure } from "./transfer-chart.ts";

const CURVES: readonly CurveFigure[] = ["roc", "precision-recall", "risk-coverage"];

/** Every figure of a report, by name; those of `listFigures`, in its order. */
export function makeFigures(content: ReportContent): ReadonlyMap<FigureName, Figure> {
  const { evaluation, layerScores, entropies, testScores, transfer } = content;
  const { probes, se_threshold: threshold } = evaluation;
  const splits = HELD_OUT_SPLITS.flatMap((split) => {
    const own = evaluation[split];
    if (own === undefined) return [];
    return [...CURVES.map((curve) => makeCurveFigure(curve, split, own)), makeReliabilityFigure(split, own)];
  });
  const figures = [
    ...splits,
    makeLayerFigure("Wrong answers, by layer", layerScores, "incorrect", probes.accuracy_probe),
    makeLayerFigure("High semantic entropy, by layer", layerScores, "high-semantic-entropy", probes.se_probe),
    makeLayerMap("Wrong answers, by position and layer", layerScores, "incorrect"),
    makeLayerMap("High semantic entropy, by position and layer", layerScores, "high-semantic-entropy"),
    makeEntropyFigure(entropies, threshold),
    makeEntropyScatter(testScores, threshold.threshold),
    ...(transfer === null ? [] : [makeTransferFigure(transfer)]),
  ];
  const byName = new Map(figures.map((figure) => [figure.name, figure]));
  const names = listFigures(evaluation.ood_test !== undefined, transfer !== null);
  return new Map(names.map((name) => [name, byName.get(name)!]));
}
