import { normalizedLaplacian, symmetricEigen } from "../math/symmetric-eigen.ts";
import { mean } from "../math/vector.ts";
import { type AffinityMatrix, requireSquare } from "./pair-matrix.ts";

/**
 * Eccentricity: how far the samples lie from their centre, in the space of the Laplacian's eigenvectors whose
 * eigenvalues are below a threshold: the Frobenius norm of the centred coordinates.
 * @param W [K, K] affinities in [0, 1]
 * @returns from 0, where only the constant eigenvector is kept
 * @throws RangeError if K = 0, W is not square, or a sample is unlike all, itself included
 * @see Lin et al. 2024, equation 11, "U_Ecc"; `Eccentricity` of lm-polygraph
 */
export function eccentricity(W: AffinityMatrix): number {
  requireSquare(W);
  const { values, vectors } = symmetricEigen(normalizedLaplacian(W));
  const kept = vectors.filter((_, k) => values[k]! < EIGENVALUE_THRESHOLD);
  return Math.hypot(...kept.map(spread));
}

/** The authors' choice. */
const EIGENVALUE_THRESHOLD = 0.9;

/** Norm of a vector minus its mean. */
function spread(vector: readonly number[]): number {
  const centre = mean(vector);
  return Math.hypot(...vector.map((x) => x - centre));
}
