import { symmetricEigen } from "../math/symmetric-eigen.ts";
import { dot, mean } from "../math/vector.ts";
import { mapPairs } from "./pair-matrix.ts";

/**
 * EigenScore: the mean logarithm of the eigenvalues of the samples' covariance, Z J Z' + 0.001 I, where J takes each
 * sample's mean over its features away.
 * @param Z [K][D] one hidden state a sample, usually of the last token at the middle layer
 * @returns nats, from ln 0.001
 * @throws RangeError if K = 0, D = 0, or the widths differ
 * @see Chen et al. 2024, "INSIDE", equation 6; `EigenScore` of lm-polygraph. The authors' code divides the covariance
 *   by D - 1 and takes decimal logarithms.
 */
export function eigenScore(Z: readonly ArrayLike<number>[]): number {
  if (Z.length === 0) throw new RangeError("no samples");
  const rows = Z.map((row) => {
    if (row.length === 0 || row.length !== Z[0]!.length)
      throw new RangeError(`hidden states of ${Z[0]!.length} and ${row.length} numbers`);
    const values = Float64Array.from(row);
    const centre = mean(values);
    return values.map((x) => x - centre);
  });
  const below = rows.map((row, i) => rows.slice(0, i + 1).map((other) => dot(row, other)));
  const covariance = mapPairs(
    rows.length,
    (i, j) => below[Math.max(i, j)]![Math.min(i, j)]! + (i === j ? REGULARISATION : 0),
  );
  const { values } = symmetricEigen(covariance);
  // no eigenvalue is below the regularisation; rounding of large ones can put it there
  return mean(values.map((value) => Math.log(Math.max(value, REGULARISATION))));
}

/** The authors' alpha. */
const REGULARISATION = 1e-3;
