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

/** Summed in order. @returns 0 for no values */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

/** Arithmetic mean. @returns NaN for no values */
export const mean = (values: ArrayLike<number>): number => sum(values) / values.length;

/** Rows and columns that are copied together: a tile of both matrices fits the CPU's L1 cache. */
const TILE = 32;

/** [rows, columns] -> [columns, rows]; the array may be longer than the shape needs. */
export function transpose(matrix: Float32Array, rowCount: number, columnCount: number): Float32Array {
  const turned = new Float32Array(rowCount * columnCount);
  transposeInto(matrix, rowCount, columnCount, turned);
  return turned;
}

/** The same, into a given array, which may be longer as well. */
export function transposeInto(
  matrix: Float32Array,
  rowCount: number,
  columnCount: number,
  turned: Float32Array,
): void {
  for (let top = 0; top < rowCount; top += TILE) {
    const bottom = Math.min(top + TILE, rowCount);
    for (let left = 0; left < columnCount; left += TILE) {
      const right = Math.min(left + TILE, columnCount);
      for (let j = left; j < right; j++) {
        for (let i = top; i < bottom; i++) turned[j * rowCount + i] = matrix[i * columnCount + j]!;
      }
    }
  }
}

/** Returns an array of some size, whose contents are undefined. */
export type Allocate = (size: number) => Float32Array;

/** Allocates new memory. */
export const allocateNew: Allocate = (size) => new Float32Array(size);
