/** Variances of uncorrelated columns, drawn towards their mean. */
export interface ShrunkVariances {
  /** [k] (1 - shrinkage) · own + shrinkage · mean */
  readonly variances: Float64Array;
  /** In [0, 1]: 0 where there are many rows, 1 where the variances cannot be told apart. */
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
