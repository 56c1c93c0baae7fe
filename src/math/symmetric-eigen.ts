/** Eigenvalues and eigenvectors of a symmetric matrix. */
export interface SymmetricEigen {
  /** [n] ascending. */
  readonly values: Float64Array;
  /** [n][n]: row i is the eigenvector of `values[i]`, of length 1; its sign is arbitrary. */
  readonly vectors: readonly Float64Array[];
}

/**
 * Eigenvalues and eigenvectors of a small symmetric matrix by cyclic Jacobi rotations: O(n^3) a sweep, some six to
 * ten sweeps, and small eigenvalues as exact as large ones allow.
 * @param A [n, n] symmetric to rounding; the mean of both halves is taken
 * @throws RangeError if it is not square, not finite, or not symmetric
 * @see Golub and Van Loan, Matrix Computations, section 8.5
 */
export function symmetricEigen(A: readonly ArrayLike<number>[]): SymmetricEigen {
  const n = A.length;
  const a = copySymmetric(A);
  const vectors = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n);
    row[i] = 1;
    return row;
  });
  const tiny = Number.EPSILON ** 2 * a.reduce((sum, row) => sum + squareSum(row), 0);
  for (let sweep = 0; sweep < MAX_SWEEPS && offDiagonal(a) > tiny; sweep++) {
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  }
  const order = [...a.keys()].sort((i, j) => a[i]![i]! - a[j]![j]!);
  return {
    values: Float64Array.from(order, (i) => a[i]![i]!),
    vectors: order.map((i) => vectors[i]!),
  };
}

/** Convergence is quadratic: twenty sweeps are far more than float64 needs at any size. */
const MAX_SWEEPS = 50;

/** Makes a[p][q] zero; `vectors` holds the product of all rotations, transposed. */
function rotate(a: readonly Float64Array[], vectors: readonly Float64Array[], p: number, q: number): void {
  const apq = a[p]![q]!;
  if (apq === 0) return;
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  mixRows(a[p]!, a[q]!, c, s);
  for (const row of a) {
    const [x, y] = [row[p]!, row[q]!];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  }
  mixRows(vectors[p]!, vectors[q]!, c, s);
}

function mixRows(first: Float64Array, second: Float64Array, c: number, s: number): void {
  for (let i = 0; i < first.length; i++) {
    const [x, y] = [first[i]!, second[i]!];
    first[i] = c * x - s * y;
    second[i] = s * x + c * y;
  }
}

function copySymmetric(A: readonly ArrayLike<number>[]): Float64Array[] {
  const n = A.length;
  let largest = 0;
  for (const row of A) {
    if (row.length !== n) throw new RangeError(`a row of ${row.length} in a matrix of ${n} rows`);
    for (let i = 0; i < n; i++) {
      if (!Number.isFinite(row[i])) throw new RangeError(`a matrix entry of ${row[i]}`);
      largest = Math.max(largest, Math.abs(row[i]!));
    }
  }
  return Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: n }, (_, j) => {
      const [above, below] = [A[i]![j]!, A[j]![i]!];
      if (Math.abs(above - below) > ASYMMETRY * largest)
        throw new RangeError(`entries [${i}, ${j}] and [${j}, ${i}] are ${above} and ${below}`);
      return (above + below) / 2;
    }),
  );
}

/** Rounding of a product of matrices, relative to the largest entry. */
const ASYMMETRY = 1e-9;

const squareSum = (row: Float64Array): number => row.reduce((sum, x) => sum + x * x, 0);

function offDiagonal(a: readonly Float64Array[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) for (let j = 0; j < a.length; j++) if (i !== j) sum += a[i]![j]! ** 2;
  return sum;
}
