/** Eigenvalues of a symmetric matrix in ascending order, each with its vector. */
export interface SymmetricEigen {
  /** [n] */
  readonly values: readonly number[];
  /** [n][n] `vectors[k]` has length 1 and belongs to `values[k]`; its component of largest size is positive. */
  readonly vectors: readonly (readonly number[])[];
}

/**
 * All eigenvalues and eigenvectors of a small symmetric matrix, by cyclic Jacobi rotations; time grows with n^3.
 * Vectors of equal eigenvalues are some orthonormal basis of theirs.
 * @param matrix [n][n] only its lower triangle is read
 * @throws RangeError if an element is not finite
 * @see Golub and Van Loan, Matrix Computations, 8.5
 */
export function symmetricEigen(matrix: readonly (readonly number[])[]): SymmetricEigen {
  const n = matrix.length;
  const A = matrix.map((row, i) => row.map((_, j) => (j <= i ? row[j]! : matrix[j]![i]!)));
  const wrong = A.flat().find((value) => !Number.isFinite(value));
  if (wrong !== undefined) throw new RangeError(`a matrix element of ${wrong}`);
  const V = A.map((_, i) => A.map((_row, j) => (i === j ? 1 : 0)));
  const scale = Math.hypot(...A.flat());
  for (let sweep = 0; sweep < MAX_SWEEPS && offDiagonal(A) > PRECISION * scale; sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(A, V, p, q);

  const order = [...A.keys()].sort((a, b) => A[a]![a]! - A[b]![b]! || a - b);
  return {
    values: order.map((k) => A[k]![k]!),
    vectors: order.map((k) => withPositivePeak(V.map((row) => row[k]!))),
  };
}

/** Convergence is quadratic: ten sweeps are many. */
const MAX_SWEEPS = 60;
const PRECISION = 1e-15;

function offDiagonal(A: readonly (readonly number[])[]): number {
  let sum = 0;
  for (const [i, row] of A.entries()) for (let j = 0; j < i; j++) sum += 2 * row[j]! ** 2;
  return Math.sqrt(sum);
}

/** Turns rows and columns p and q so that A[p][q] becomes 0, and keeps account of it in V. */
function rotate(A: number[][], V: number[][], p: number, q: number): void {
  const apq = A[p]![q]!;
  if (apq === 0) return;
  const theta = (A[q]![q]! - A[p]![p]!) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (const row of A) turn(row, p, q, c, s);
  const [rowP, rowQ] = [A[p]!, A[q]!];
  for (let k = 0; k < A.length; k++) {
    const [ap, aq] = [rowP[k]!, rowQ[k]!];
    rowP[k] = c * ap - s * aq;
    rowQ[k] = s * ap + c * aq;
  }
  for (const row of V) turn(row, p, q, c, s);
}

function turn(row: number[], p: number, q: number, c: number, s: number): void {
  const [x, y] = [row[p]!, row[q]!];
  row[p] = c * x - s * y;
  row[q] = s * x + c * y;
}

function withPositivePeak(vector: readonly number[]): number[] {
  const peak = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return vector.map((value) => (peak < 0 ? -value : value));
}
