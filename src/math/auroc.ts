import { type RankedScores, rankScores } from "./rank-scores.ts";

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
 * {@link auroc} on scores ranked before, with an optional weight a row (a bootstrap's multiplicities).
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
