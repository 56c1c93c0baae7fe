import { type AffinityMatrix, mapPairs, requireSquare } from "./pair-matrix.ts";

/**
 * The symmetric normalised Laplacian I - D^-1/2 W D^-1/2 of a graph of samples.
 * @param W [K, K] affinities
 * @returns [K, K], eigenvalues in [0, 2]
 * @throws RangeError if K = 0, W is not square, or a sample is unlike all, itself included
 */
export function normalizedLaplacian(W: AffinityMatrix): number[][] {
  requireSquare(W);
  const roots = W.map((row, i) => {
    const degree = row.reduce((sum, w) => sum + w, 0);
    if (!(degree > 0)) throw new RangeError(`sample ${i} has affinities that sum to ${degree}`);
    return Math.sqrt(degree);
  });
  return mapPairs(W.length, (i, j) => Number(i === j) - W[i]![j]! / (roots[i]! * roots[j]!));
}
