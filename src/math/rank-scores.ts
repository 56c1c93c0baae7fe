/** Scores in ascending order with their ties, made once so that many resamples need no further sorting. */
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
