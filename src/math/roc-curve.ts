import { requireLabels } from "./auroc.ts";
import { rankScores } from "./rank-scores.ts";

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
 * The ROC curve, one point a distinct score, from (0, 0) to (1, 1).
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
