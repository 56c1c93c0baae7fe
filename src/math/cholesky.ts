/** The lower triangular factor of the rows that were kept. */
interface CholeskyFactor {
  /** [k][k] row-major: L with L L^T = the kept rows and columns. */
  readonly lower: Float64Array;
  /** [k] indices of the kept rows, ascending. */
  readonly kept: readonly number[];
}

/**
 * Cholesky factor of a symmetric matrix without the rows that depend linearly on rows before them.
 * @param matrix    [n,n] row-major, positive semidefinite to rounding; the lower half is read
 * @param tolerance a row is left out if the remaining share of its diagonal entry is at most this
 * @see Golub and Van Loan, Matrix Computations, section 4.2
 */
export function factorCholesky(matrix: ArrayLike<number>, n: number, tolerance: number): CholeskyFactor {
  const rows: Float64Array[] = [];
  const kept: number[] = [];
  for (let i = 0; i < n; i++) {
    const row = new Float64Array(kept.length + 1);
    let left = matrix[i * n + i]!;
    for (const [j, other] of rows.entries()) {
      let sum = matrix[i * n + kept[j]!]!;
      for (let q = 0; q < j; q++) sum -= row[q]! * other[q]!;
      row[j] = sum / other[j]!;
      left -= row[j]! ** 2;
    }
    if (!(left > tolerance * matrix[i * n + i]!)) continue;
    row[kept.length] = Math.sqrt(left);
    rows.push(row);
    kept.push(i);
  }
  const size = kept.length;
  const lower = new Float64Array(size * size);
  rows.forEach((row, i) => {
    lower.set(row, i * size);
  });
  return { lower, kept };
}

/** The inverse of a lower triangular matrix [n,n], itself lower triangular. */
export function invertLower(lower: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const own = 1 / lower[i * n + i]!;
    const row = inverse.subarray(i * n, i * n + i + 1);
    for (let q = 0; q < i; q++) {
      const scale = -own * lower[i * n + q]!;
      for (let j = 0; j <= q; j++) row[j] = row[j]! + scale * inverse[q * n + j]!;
    }
    row[i] = own;
  }
  return inverse;
}
