import { type AffinityMatrix, requireSquare } from "./pair-matrix.ts";

/**
 * Degree matrix uncertainty: trace(K I - D) / K^2, the mean distance 1 - w_ij of all pairs of samples.
 * @param W [K, K] affinities in [0, 1]
 * @returns in [0, 1]
 * @throws RangeError if K = 0 or W is not square
 * @see Lin et al. 2024, equation 10, "Generating with confidence"; `DegMat` of lm-polygraph
 */
export function degreeMatrixUncertainty(W: AffinityMatrix): number {
  requireSquare(W);
  const affinity = W.flat().reduce((sum, w) => sum + w, 0);
  return 1 - affinity / W.length ** 2;
}
