import { type RankedScores, rankScores, requireLabels } from "./auroc.ts";

/** One corner of a ROC curve: rows scoring at or above `threshold` are called positive. */
export interface RocPoint {
  /** Share of negatives called positive, in [0, 1]. */
  readonly falsePositiveRate: number;
  /** Share of positives called positive, in [0, 1]. */
  readonly truePositiveRate: number;
  /** Infinity at the first point, where nothing is called positive. */
  readonly threshold: number;
}

/**
 * The ROC curve, one point per distinct score, from (0, 0) to (1, 1).
 * Equals scikit-learn's `roc_curve(drop_intermediate=False)`.
 * @param scores [N] higher means more likely positive
 * @param labels [N] 1 positive, 0 negative
 * @throws RangeError if the lengths differ, N = 0, a score is NaN, a label is neither 0 nor 1, or only one class
 * is present
 */
export function rocCurve(scores: ArrayLike<number>, labels: ArrayLike<number>): RocPoint[] {
  requireLabels(scores, labels);
  const { order, groupStarts } = rankScores(scores);
  const corners: { positives: number; negatives: number; threshold: number }[] = [];
  let positives = 0;
  let negatives = 0;
  for (let g = groupStarts.length - 2; g >= 0; g--) {
    for (let i = groupStarts[g]!; i < groupStarts[g + 1]!; i++) {
      if (labels[order[i]!] === 1) positives++;
      else negatives++;
    }
    corners.push({ positives, negatives, threshold: scores[order[groupStarts[g]!]!]! });
  }
  if (positives === 0 || negatives === 0) {
    throw new RangeError(`A ROC curve needs both classes; all ${labels.length} labels are ${labels[0]}.`);
  }
  return [
    { falsePositiveRate: 0, truePositiveRate: 0, threshold: Number.POSITIVE_INFINITY },
    ...corners.map((corner) => ({
      falsePositiveRate: corner.negatives / negatives,
      truePositiveRate: corner.positives / positives,
      threshold: corner.threshold,
    })),
  ];
}

/**
 * Average precision, the area under the precision-recall curve as a step function (no interpolation):
 * sum over thresholds of (R_n - R_(n-1)) P_n. Equals scikit-learn's `average_precision_score`.
 * @param scores [N] higher means more likely positive; NaN is refused
 * @param labels [N] 1 positive, 0 negative
 * @returns in (0, 1]; chance gives the share of positives
 * @throws RangeError if the lengths differ, N = 0, a score is NaN, a label is neither 0 nor 1, or no label is 1
 */
export function averagePrecision(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  requireLabels(scores, labels);
  const area = rankedAveragePrecision(rankScores(scores), labels);
  if (Number.isNaN(area))
    throw new RangeError(`Average precision needs a positive; all ${labels.length} labels are 0.`);
  return area;
}

/**
 * {@link averagePrecision} of scores that are ranked already, with an optional weight per row.
 * @returns in (0, 1], or NaN if no positive has weight
 */
export function rankedAveragePrecision(
  { order, groupStarts }: RankedScores,
  labels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  let positives = 0;
  let all = 0;
  let area = 0;
  for (let g = groupStarts.length - 2; g >= 0; g--) {
    let groupPositives = 0;
    for (let i = groupStarts[g]!; i < groupStarts[g + 1]!; i++) {
      const row = order[i]!;
      const weight = weights === undefined ? 1 : weights[row]!;
      all += weight;
      if (labels[row] === 1) groupPositives += weight;
    }
    positives += groupPositives;
    if (groupPositives > 0) area += groupPositives * (positives / all);
  }
  return positives > 0 ? area / positives : Number.NaN;
}
