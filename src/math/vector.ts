/** Inner product of two vectors of equal length. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** target += scale * direction, in place. */
export function addScaled(target: Float64Array, scale: number, direction: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i] = target[i]! + scale * direction[i]!;
}

/** In order. @returns 0 for no values */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

/** Arithmetic mean. @returns NaN for no values */
export const mean = (values: ArrayLike<number>): number => sum(values) / values.length;
