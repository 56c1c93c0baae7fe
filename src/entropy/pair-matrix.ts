import type { EntailmentProbs } from "../meaning/entailer.ts";

/** [K][K] of each ordered pair of samples: [i][j] with sample i as the premise and j as the hypothesis. */
export type EntailmentMatrix = readonly (readonly EntailmentProbs[])[];

/** [K, K] symmetric; 1 for samples that say the same, 0 for those that have nothing in common. */
export type AffinityMatrix = readonly (readonly number[])[];

/** A matrix of f over all ordered pairs of `count` items. */
export function mapPairs<T>(count: number, f: (i: number, j: number) => T): T[][] {
  return Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => f(i, j)));
}

/** @throws RangeError if the matrix is empty or not square */
export function requireSquare(matrix: readonly (readonly unknown[])[]): void {
  if (matrix.length === 0) throw new RangeError("no samples");
  for (const row of matrix)
    if (row.length !== matrix.length) throw new RangeError(`a row of ${row.length} in ${matrix.length} rows`);
}
