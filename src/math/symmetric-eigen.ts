/** Eigenvalues of a symmetric matrix in ascending order, each with its vector. */
interface SymmetricEigen {
  /** [n] */
  readonly values: readonly number[];
  /** [n][n] `vectors[k]` has length 1 and belongs to `values[k]`; its component of largest magnitude is positive. */
  readonly vectors: readonly (readonly number[])[];
}

/**
 * All eigenvalues and eigenvectors of a symmetric matrix of up to some hundred rows: Householder reflections to a
 * tridiagonal one, then QL steps with implicit shifts; about 6 n^3 operations. The vectors of equal eigenvalues are an
 * arbitrary orthonormal basis of their space.
 * @param matrix [n][n] only its lower triangle is read
 * @throws RangeError if an element is not finite
 * @see Golub and Van Loan, Matrix Computations, 8.3.1 and 8.3.3
 */
export function symmetricEigen(matrix: readonly ArrayLike<number>[]): SymmetricEigen {
  const { diagonal, offDiagonal, basis } = tridiagonalise(copySymmetric(matrix));
  diagonaliseTridiagonal(diagonal, offDiagonal, basis);
  const order = [...diagonal.keys()].sort((a, b) => diagonal[a]! - diagonal[b]! || a - b);
  return {
    values: order.map((k) => diagonal[k]!),
    vectors: order.map((k) => withPositivePeak(basis[k]!)),
  };
}

interface Tridiagonal {
  /** [n] */
  readonly diagonal: Float64Array;
  /** [n] entry i couples i and i + 1; the last one is 0. */
  readonly offDiagonal: Float64Array;
  /** [n][n] rows q_i with A = sum over i, j of T_ij q_i q_j^T. */
  readonly basis: Float64Array[];
}

/** Reflects column after column onto its first two entries; `a` is destroyed. */
function tridiagonalise(a: readonly Float64Array[]): Tridiagonal {
  const n = a.length;
  const offDiagonal = new Float64Array(n);
  const reflections: { readonly v: Float64Array; readonly start: number; readonly beta: number }[] = [];
  const image = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    const column = a[k]!; // symmetric: the row is the column
    const start = k + 1;
    let rest = 0;
    for (let i = start + 1; i < n; i++) rest += column[i]! ** 2;
    if (rest === 0) {
      offDiagonal[k] = column[start]!;
      continue;
    }
    const norm = Math.sqrt(column[start]! ** 2 + rest);
    const target = column[start]! > 0 ? -norm : norm; // away from the entry: no cancellation
    const v = Float64Array.from(column);
    v[start] = column[start]! - target;
    const beta = 2 / (v[start] ** 2 + rest);
    reflectBoth(a, v, beta, start, image);
    offDiagonal[k] = target;
    reflections.push({ v, start, beta });
  }
  const basis = identity(n);
  // Q = H_0 H_1 …; q_i are its columns, so the rows of the transpose: apply the last reflection first
  for (const { v, start, beta } of reflections.reverse()) {
    for (const row of basis) {
      let along = 0;
      for (let i = start; i < n; i++) along += row[i]! * v[i]!;
      if (along === 0) continue;
      along *= beta;
      for (let i = start; i < n; i++) row[i] = row[i]! - along * v[i]!;
    }
  }
  return { diagonal: Float64Array.from(a, (row, i) => row[i]!), offDiagonal, basis };
}

/** a <- H a H for H = I - beta v v^T, in the rows and columns from `start`. */
function reflectBoth(
  a: readonly Float64Array[],
  v: Float64Array,
  beta: number,
  start: number,
  image: Float64Array,
): void {
  const n = a.length;
  let along = 0;
  for (let i = start; i < n; i++) {
    const row = a[i]!;
    let sum = 0;
    for (let j = start; j < n; j++) sum += row[j]! * v[j]!;
    image[i] = beta * sum;
    along += image[i]! * v[i]!;
  }
  const half = (beta * along) / 2;
  for (let i = start; i < n; i++) image[i] = image[i]! - half * v[i]!;
  for (let i = start; i < n; i++) {
    const row = a[i]!;
    const vi = v[i]!;
    const wi = image[i]!;
    for (let j = start; j < n; j++) row[j] = row[j]! - vi * image[j]! - wi * v[j]!;
  }
}

/** QL steps until every coupling is gone; the rotations are applied to the rows of `basis`. */
function diagonaliseTridiagonal(d: Float64Array, e: Float64Array, basis: readonly Float64Array[]): void {
  const n = d.length;
  for (let low = 0; low < n; low++) {
    for (let steps = 0; ; steps++) {
      let high = low;
      while (
        high < n - 1 &&
        Math.abs(e[high]!) > Number.EPSILON * (Math.abs(d[high]!) + Math.abs(d[high + 1]!))
      )
        high++;
      if (high === low) break;
      if (steps === MAX_STEPS) throw new RangeError("an eigenvalue that does not converge");
      stepQl(d, e, basis, low, high);
    }
  }
}

/** Two to three are usual; no finite matrix is known to need as many. */
const MAX_STEPS = 100;

/** One implicitly shifted QL step on the unreduced block low..high, chasing the bulge upwards. */
function stepQl(
  d: Float64Array,
  e: Float64Array,
  basis: readonly Float64Array[],
  low: number,
  high: number,
): void {
  const gap = (d[low + 1]! - d[low]!) / (2 * e[low]!);
  const root = Math.hypot(gap, 1);
  // Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that is nearer to d[low]
  let x = d[high]! - d[low]! + e[low]! / (gap + (gap >= 0 ? root : -root));
  let c = 1;
  let s = 1;
  let moved = 0;
  for (let i = high - 1; i >= low; i--) {
    const bulge = s * e[i]!;
    const kept = c * e[i]!;
    const length = Math.hypot(bulge, x);
    e[i + 1] = length;
    if (length === 0) {
      d[i + 1] = d[i + 1]! - moved;
      e[high] = 0;
      return;
    }
    s = bulge / length;
    c = x / length;
    const corrected = d[i + 1]! - moved;
    const turned = (d[i]! - corrected) * s + 2 * c * kept;
    moved = s * turned;
    d[i + 1] = corrected + moved;
    x = c * turned - kept;
    rotateRows(basis[i]!, basis[i + 1]!, c, s);
  }
  d[low] = d[low]! - moved;
  e[low] = x;
  e[high] = 0;
}

function rotateRows(first: Float64Array, second: Float64Array, c: number, s: number): void {
  for (let i = 0; i < first.length; i++) {
    const x = first[i]!;
    const y = second[i]!;
    first[i] = c * x - s * y;
    second[i] = s * x + c * y;
  }
}

function copySymmetric(matrix: readonly ArrayLike<number>[]): Float64Array[] {
  const n = matrix.length;
  const copy = Array.from({ length: n }, () => new Float64Array(n));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = matrix[i]![j]!;
      if (!Number.isFinite(value)) throw new RangeError(`a matrix element of ${value}`);
      copy[i]![j] = value;
      copy[j]![i] = value;
    }
  }
  return copy;
}

function withPositivePeak(vector: Float64Array): number[] {
  const peak = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return Array.from(vector, (value) => (peak < 0 ? -value : value));
}

function identity(n: number): Float64Array[] {
  return Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n);
    row[i] = 1;
    return row;
  });
}

/**
 * The symmetric normalised Laplacian I - D^-1/2 W D^-1/2 of a weighted graph.
 * @param W [n, n] non-negative weights, self-loops included
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
