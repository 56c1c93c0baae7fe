import { normalizedLaplacian, symmetricEigen } from "../math/symmetric-eigen.ts";
import { type AffinityMatrix, requireSquare } from "./pair-matrix.ts";

/**
 * EigV, a continuous number of meanings: sum max(0, 1 - lambda_k) over the eigenvalues of the normalised Laplacian.
 * @param W [K, K] affinities in [0, 1]
 * @returns 1 where all samples say the same, K where each stands alone
 * @throws RangeError if K = 0, W is not square, or a sample is unlike all, itself included
 * @see Lin et al. 2024, equation 9, "U_EigV"; `EigValLaplacian` of lm-polygraph
 */
export function eigenvalueCount(W: AffinityMatrix): number {
  requireSquare(W);
  return symmetricEigen(normalizedLaplacian(W)).values.reduce(
    (sum, value) => sum + Math.max(0, 1 - value),
    0,
  );
}
