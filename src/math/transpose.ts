/** Rows and columns that are copied together: a tile of both matrices fits the processor's first cache. */
const TILE = 32;

/** [rows, columns] -> [columns, rows]; the array may be longer than the shape needs. */
export function transpose(matrix: Float32Array, rowCount: number, columnCount: number): Float32Array {
  const turned = new Float32Array(rowCount * columnCount);
  transposeInto(matrix, rowCount, columnCount, turned);
  return turned;
}

/** The same, written into another array, which may be longer, too. */
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
