/**
 * Area under the ROC curve: the chance that a random positive scores above a random negative, ties counting half.
 * @param scores [N] higher means more likely positive; NaN is refused
 * @param labels [N] 1 positive, 0 negative
 * @returns in [0, 1]
 * @throws RangeError if the lengths differ, N = 0, a score is NaN, a label is neither 0 nor 1, or only one class
 * is present
 */
export function auroc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  requireLabels(scores, labels);
  const area = rankedAuroc(rankScores(scores), labels);
  if (Number.isNaN(area)) {
    throw new RangeError(`AUROC needs both classes; all ${labels.length} labels are ${labels[0]}.`);
  }
  return area;
}

/**
 * {@link auroc} of scores that are ranked already, with an optional weight per row, such as its count in a bootstrap sample.
 * @param weights [N] non-negative; 1 everywhere if left out
 * @returns in [0, 1], or NaN if one class has no weight
 */
export function rankedAuroc(
  { order, groupStarts }: RankedScores,
  labels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  let negativesBelow = 0;
  let positives = 0;
  let area = 0;
  for (let g = 0; g + 1 < groupStarts.length; g++) {
    let groupPositives = 0;
    let groupNegatives = 0;
    for (let i = groupStarts[g]!; i < groupStarts[g + 1]!; i++) {
      const row = order[i]!;
      const weight = weights === undefined ? 1 : weights[row]!;
      if (labels[row] === 1) groupPositives += weight;
      else groupNegatives += weight;
    }
    area += groupPositives * (negativesBelow + groupNegatives / 2);
    negativesBelow += groupNegatives;
    positives += groupPositives;
  }
  return positives > 0 && negativesBelow > 0 ? area / (positives * negativesBelow) : Number.NaN;
}

/** @throws RangeError if lengths differ, or a label is neither 0 nor 1 */
export function requireLabels(scores: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (scores.length !== labels.length) {
    throw new RangeError(
      `Got ${scores.length} scores for ${labels.length} labels; the lengths must be equal.`,
    );
  }
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && labels[i] !== 1) throw new RangeError(`Label ${i} is ${labels[i]}, not 0 or 1.`);
  }
}

/** An AUROC and the influence of each row on it. */
interface AurocComponents {
  readonly auroc: number;
  /**
   * [N] what each row adds to the AUROC beyond its mean share, to first order; they add up to 0. The sum of their
   * squares, summed over the rows of a cluster first, estimates the variance of the AUROC.
   */
  readonly influences: Float64Array;
}

/**
 * The AUROC with the influence of each row: (V - AUROC) / count of its class, where V is the share of the other class
 * that the row is ordered correctly against, ties counting half.
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

/** Scores in ascending order with their ties: sorted once for any number of resamples. */
export interface RankedScores {
  /** [N] row indices, ascending by score; tied rows in row order. */
  readonly order: Int32Array;
  /** [G + 1] where each group of tied scores starts within `order`; the last entry is N. */
  readonly groupStarts: Int32Array;
}

/**
 * Sorts scores once for the rank statistics (AUROC, average precision, ROC curve).
 * @param scores [N] finite or infinite numbers
 * @throws RangeError if N = 0 or a score is NaN
 */
export function rankScores(scores: ArrayLike<number>): RankedScores {
  const count = scores.length;
  if (count === 0) throw new RangeError("Cannot rank 0 scores.");
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(scores[i]))
      throw new RangeError(`Score ${i} of ${count} is NaN; scores must be ordered.`);
    order[i] = i;
  }
  order.sort((a, b) => compareNumbers(scores[a]!, scores[b]!) || a - b);
  const starts = [0];
  for (let i = 1; i < count; i++) if (scores[order[i]!] !== scores[order[i - 1]!]) starts.push(i);
  starts.push(count);
  return { order, groupStarts: Int32Array.from(starts) };
}

/** Not a - b: that is NaN for two infinities of the same sign. */
const compareNumbers = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);
