import { symmetricEigen } from "../math/symmetric-eigen.ts";
import { normalizedLaplacian } from "./normalized-laplacian.ts";
import type { AffinityMatrix } from "./pair-matrix.ts";

/**
 * EigV, a continuous number of meanings: sum max(0, 1 - lambda_k) over the eigenvalues of the normalised Laplacian.
 * @param W [K, K] affinities in [0, 1]
 * @returns 1 where all samples say the same, K where each stands alone
 * @throws RangeError as `normalizedLaplacian`
 * @see Lin et al. 2024, equation 9, "U_EigV"; `EigValLaplacian` of lm-polygraph
 */
export function eigenvalueCount(W: AffinityMatrix): number {
  return symmetricEigen(normalizedLaplacian(W)).values.reduce(
    (sum, value) => sum + Math.max(0, 1 - value),
    0,
  );
}
