/**
 * Shannon entropy -sum p ln p; a probability of 0 adds nothing.
 * @param probabilities [C] summing to 1
 * @returns nats, in [0, ln C]
 * @throws RangeError if they are not a distribution
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
  // Rounding can leave a sum some ulps outside its range.
  return Math.min(Math.max(sum, 0), Math.log(probabilities.length));
}

/** Rounding of a sum of many float64 values stays far below this. */
const SUM_TOLERANCE = 1e-9;

/**
 * ln(sum exp(x)) without overflow.
 * @returns -Infinity for no values, or if all are -Infinity
 * @throws RangeError for NaN or +Infinity
 */
export function logSumExp(values: readonly number[] | Float64Array | Float32Array): number {
  let largest = -Infinity;
  for (const value of values) {
    if (Number.isNaN(value) || value === Infinity) throw new RangeError(`logSumExp of ${value}`);
    if (value > largest) largest = value;
  }
  if (largest === -Infinity) return -Infinity;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
}
