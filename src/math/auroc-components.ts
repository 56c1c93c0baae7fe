import { requireLabels } from "./auroc.ts";
import { rankScores } from "./rank-scores.ts";

/** An AUROC taken apart row by row. */
export interface AurocComponents {
  readonly auroc: number;
  /**
   * [N] what each row adds to the AUROC beyond its mean share, to first order; they add up to 0. The sum of their
   * squares, after adding up what belongs together, estimates the AUROC's variance.
   */
  readonly influences: Float64Array;
}

/**
 * The AUROC with the influence of each row: (V - AUROC) / count of its class, where V is the share of the other class
 * that the row is ordered rightly against, ties counting half.
 * @param scores [N] higher means more likely positive; NaN is refused
 * @param labels [N] 1 positive, 0 negative, both present
 * @throws RangeError as `auroc`
 * @see DeLong, DeLong and Clarke-Pearson 1988, equations 4 and 5; with clusters, Obuchowski 1997, "Nonparametric
 * analysis of clustered ROC curve data"
 */
export function aurocComponents(scores: ArrayLike<number>, labels: ArrayLike<number>): AurocComponents {
  requireLabels(scores, labels);
  const { order, groupStarts } = rankScores(scores);
  const positives = Array.from(labels).reduce((sum, label) => sum + label, 0);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) {
    throw new RangeError(`AUROC needs both classes; all ${labels.length} labels are ${labels[0]}.`);
  }
  const influences = new Float64Array(labels.length);
  let positivesBelow = 0;
  let negativesBelow = 0;
  let area = 0;
  for (let g = 0; g + 1 < groupStarts.length; g++) {
    const rows = order.subarray(groupStarts[g]!, groupStarts[g + 1]!);
    const own = rows.reduce((sum, row) => sum + labels[row]!, 0);
    const other = rows.length - own;
    const beaten = (negativesBelow + other / 2) / negatives;
    const beatenBy = (positives - positivesBelow - own / 2) / positives;
    for (const row of rows) influences[row] = labels[row] === 1 ? beaten : beatenBy;
    area += own * beaten;
    positivesBelow += own;
    negativesBelow += other;
  }
  const auroc = area / positives;
  for (let row = 0; row < labels.length; row++) {
    influences[row] = (influences[row]! - auroc) / (labels[row] === 1 ? positives : negatives);
  }
  return { auroc, influences };
}
