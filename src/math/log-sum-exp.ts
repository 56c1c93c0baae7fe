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
