import { createRng } from "./rng.ts";
import { symmetricEigen } from "./symmetric-eigen.ts";
import { dot } from "./vector.ts";

/** Points along their directions of largest variance. */
interface PrincipalComponents {
  /** [D] of the points */
  readonly mean: Float64Array;
  /** [count][D] the directions, orthonormal; zero where the points have no further direction. */
  readonly directions: readonly Float64Array[];
  /** [count][n] coordinate of each point; the largest in magnitude is positive. */
  readonly scores: readonly Float64Array[];
  /** [count] share of the total variance, in [0, 1] */
  readonly varianceShares: readonly number[];
}

/** Oversampling: further directions make the wanted ones converge where variances are close. */
const SPARE_DIRECTIONS = 10;
/** Each turn multiplies the lead of the wanted directions by their ratio of variances. */
const DEFAULT_TURNS = 12;

/**
 * The first principal components, by a randomised subspace iteration: n D (count + 10) operations per turn instead
 * of n D min(n, D) for all components.
 * @param points [n, D] row-major
 * @param count of components, 1 .. min(n, D)
 * @param turns fewer are faster, and leave the last components mixed with the next ones
 * @throws RangeError if there are fewer points or columns than components, or a number is not finite
 * @see Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1
 */
export function principalComponents(
  points: ArrayLike<number>,
  width: number,
  count: number,
  { turns = DEFAULT_TURNS }: { readonly turns?: number } = {},
): PrincipalComponents {
  const n = points.length / width;
  if (!Number.isInteger(n) || n < count || width < count)
    throw new RangeError(`Got ${n} points of ${width} columns, expected at least ${count} of either.`);
  const { mean, rows: X } = centre(points, width);
  const rng = createRng("principal components", n, width);
  const size = Math.min(count + SPARE_DIRECTIONS, n, width);
  let directions = orthonormalise(
    Array.from({ length: size }, () => Float64Array.from({ length: width }, () => rng.next() - 0.5)),
  );
  for (let turn = 0; turn < turns; turn++)
    directions = orthonormalise(directions.map((direction) => transposeTimes(X, times(X, direction))));
  // within the subspace the components are exact
  const images = directions.map((direction) => times(X, direction));
  const { values, vectors } = symmetricEigen(images.map((a) => images.map((b) => dot(a, b))));
  const total = X.reduce((sum, row) => sum + dot(row, row), 0);
  const kept = Array.from({ length: count }, (_, k) => size - 1 - k);
  const scores = kept.map((k) => combine(images, vectors[k] as readonly number[]));
  const signs = scores.map(signOfPeak);
  return {
    mean,
    directions: kept.map((k, c) =>
      scale(combine(directions, vectors[k] as readonly number[]), signs[c] as number),
    ),
    scores: scores.map((own, c) => scale(own, signs[c] as number)),
    varianceShares: kept.map((k) => (total === 0 ? 0 : Math.max(0, values[k] as number) / total)),
  };
}

/** Copies the rows and subtracts the mean. */
function centre(
  points: ArrayLike<number>,
  width: number,
): { readonly mean: Float64Array; readonly rows: Float64Array[] } {
  const n = points.length / width;
  const rows = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: width }, (_, d) => points[i * width + d] as number),
  );
  const mean = new Float64Array(width);
  for (const row of rows)
    for (let d = 0; d < width; d++) mean[d] = (mean[d] as number) + (row[d] as number) / n;
  if (!mean.every(Number.isFinite)) throw new RangeError("Got a point with a number that is not finite.");
  for (const row of rows) for (let d = 0; d < width; d++) row[d] = (row[d] as number) - (mean[d] as number);
  return { mean, rows };
}

const times = (X: readonly Float64Array[], v: Float64Array): Float64Array =>
  Float64Array.from(X, (row) => dot(row, v));

function transposeTimes(X: readonly Float64Array[], u: Float64Array): Float64Array {
  const product = new Float64Array(X[0]?.length ?? 0);
  X.forEach((row, i) => {
    const weight = u[i] as number;
    for (let d = 0; d < product.length; d++)
      product[d] = (product[d] as number) + weight * (row[d] as number);
  });
  return product;
}

/** Gram-Schmidt, twice to remove rounding errors along the earlier vectors. A dependent vector becomes zero. */
function orthonormalise(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const rest = Float64Array.from(vector);
    const before = Math.sqrt(dot(rest, rest));
    for (const _ of [1, 2]) {
      for (const known of basis) {
        const overlap = dot(rest, known);
        for (let d = 0; d < rest.length; d++) rest[d] = (rest[d] as number) - overlap * (known[d] as number);
      }
    }
    const norm = Math.sqrt(dot(rest, rest));
    basis.push(norm > 1e-12 * before ? rest.map((value) => value / norm) : new Float64Array(rest.length));
  }
  return basis;
}

function combine(vectors: readonly Float64Array[], weights: readonly number[]): Float64Array {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  vectors.forEach((vector, at) => {
    const weight = weights[at] as number;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (vector[i] as number);
  });
  return sum;
}

const scale = (values: Float64Array, factor: number): Float64Array => values.map((value) => factor * value);

/** @returns -1 if the value of largest magnitude is negative, else 1 */
function signOfPeak(values: Float64Array): number {
  const peak = values.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return peak < 0 ? -1 : 1;
}

/** Variances of uncorrelated columns, shrunk towards their mean. */
interface ShrunkVariances {
  /** [k] (1 - shrinkage) · own + shrinkage · mean */
  readonly variances: Float64Array;
  /** In [0, 1]: 0 for many rows, 1 if the variances do not differ significantly. */
  readonly shrinkage: number;
}

/**
 * Ledoit and Wolf's shrunk covariance of columns whose sample covariance is diagonal, as that of principal components
 * is: the estimate is diagonal too. Few rows make large variances look too large and small ones too small, which a
 * Mahalanobis distance divides by.
 * @param columns [k][n] each of mean 0
 * @throws RangeError for no columns, or no rows
 * @see Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices"
 */
export function shrinkVariances(columns: readonly Float64Array[]): ShrunkVariances {
  const k = columns.length;
  const n = columns[0]?.length ?? 0;
  if (n === 0) throw new RangeError(`Got ${k} columns of ${n} rows, expected at least one of either.`);
  const own = Float64Array.from(columns, (column) => column.reduce((sum, x) => sum + x * x, 0) / n);
  const mean = own.reduce((sum, variance) => sum + variance, 0) / k;
  const squared = own.reduce((sum, variance) => sum + variance * variance, 0);
  let fourth = 0; // mean of ||x||^4 over rows
  for (let i = 0; i < n; i++) {
    let length = 0;
    for (const column of columns) length += (column[i] as number) ** 2;
    fourth += length ** 2 / n;
  }
  const spread = (squared - k * mean ** 2) / k; // of the variances about their mean
  const error = Math.min((fourth - squared) / (k * n), spread);
  const shrinkage = spread > 0 ? Math.max(0, error) / spread : 0;
  return {
    variances: own.map((variance) => (1 - shrinkage) * variance + shrinkage * mean),
    shrinkage,
  };
}
