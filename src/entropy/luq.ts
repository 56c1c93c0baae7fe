import { type EntailmentMatrix, requireSquare } from "./pair-matrix.ts";

/**
 * LUQ on whole answers: 1 - the mean over ordered pairs of different samples of p(entailment) against
 * p(contradiction), neutral left out.
 * @returns in [0, 1]
 * @throws RangeError if K < 2 or the matrix is not square
 * @see Zhang et al. 2024, "LUQ: Long-text uncertainty quantification"; `LUQ` of lm-polygraph
 */
export function luq(entailment: EntailmentMatrix): number {
  requireSquare(entailment);
  const n = entailment.length;
  if (n < 2) throw new RangeError("one sample has no pairs");
  let sum = 0;
  for (const [i, row] of entailment.entries())
    for (const [j, probs] of row.entries()) if (i !== j) sum += supportShare(probs);
  return 1 - sum / (n * (n - 1));
}

/** p(entailment) where only entailment and contradiction are possible; 1/2 where the model allows neither. */
export function supportShare({
  entailment,
  contradiction,
}: {
  readonly entailment: number;
  readonly contradiction: number;
}): number {
  const both = entailment + contradiction;
  return both === 0 ? 0.5 : entailment / both;
}
