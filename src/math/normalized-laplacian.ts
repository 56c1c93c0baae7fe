/**
 * The symmetric normalised Laplacian I - D^-1/2 W D^-1/2 of a weighted graph.
 * @param W [n, n] weights from 0, of a node with itself too
 * @returns [n, n], eigenvalues in [0, 2]
 * @throws RangeError if a node's weights do not sum to more than 0
 */
export function normalizedLaplacian(W: readonly (readonly number[])[]): number[][] {
  const roots = W.map((row, i) => {
    const degree = row.reduce((sum, w) => sum + w, 0);
    if (!(degree > 0)) throw new RangeError(`node ${i} has weights that sum to ${degree}`);
    return Math.sqrt(degree);
  });
  return W.map((row, i) => row.map((w, j) => Number(i === j) - w / (roots[i]! * roots[j]!)));
}
