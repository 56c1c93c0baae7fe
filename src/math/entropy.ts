/**
 * Shannon entropy -sum p ln p; a probability of 0 adds nothing.
 * @param probabilities [C] summing to 1
 * @returns nats, in [0, ln C]
 * @throws RangeError if they are no distribution
 */
export function entropy(probabilities: readonly number[]): number {
  let sum = 0;
  let total = 0;
  for (const p of probabilities) {
    if (!(p >= 0)) throw new RangeError(`a probability of ${p}`);
    total += p;
    if (p > 0) sum -= p * Math.log(p);
  }
  if (!(Math.abs(total - 1) <= SUM_TOLERANCE))
    throw new RangeError(`probabilities sum to ${total}, expected 1`);
  // Rounding can leave a sum some ulps outside of its range.
  return Math.min(Math.max(sum, 0), Math.log(probabilities.length));
}

/** Rounding of a sum of many float64 values stays far below this. */
const SUM_TOLERANCE = 1e-9;
