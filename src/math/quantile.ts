/**
 * Quantile with linear interpolation between order statistics, as numpy's default.
 * @param values      [N] any order; not changed
 * @param probability in [0, 1]
 * @throws RangeError if N = 0, a value is NaN, or the probability is outside [0, 1]
 */
export const quantile = (values: ArrayLike<number>, probability: number): number =>
  quantiles(values, [probability])[0]!;

/** Several quantiles, sorting the values once. @returns one per probability @throws RangeError as {@link quantile} */
export function quantiles(values: ArrayLike<number>, probabilities: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError("Quantile of 0 values.");
  // a copy of a typed array takes no iterator
  const sorted = (values instanceof Float64Array ? values.slice() : Float64Array.from(values)).sort();
  if (Number.isNaN(sorted[sorted.length - 1])) throw new RangeError("Quantile of values with NaN."); // sorts last
  return probabilities.map((probability) => {
    if (!(probability >= 0 && probability <= 1))
      throw new RangeError(`Probability ${probability} is outside [0, 1].`);
    const place = probability * (sorted.length - 1);
    const below = Math.floor(place);
    const low = sorted[below]!;
    const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
    return low === high ? low : low + (place - below) * (high - low);
  });
}

/** The middle value; the mean of the two middle ones for an even count. @throws RangeError as {@link quantile} */
export const median = (values: ArrayLike<number>): number => quantile(values, 0.5);
