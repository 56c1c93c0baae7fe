/** Standardisation learned on training rows. */
export interface Scaler {
  /** [d] */
  readonly mean: Float64Array;
  /** [d] standard deviation over the rows (divided by n, not n - 1); 1 for a constant feature. */
  readonly scale: Float64Array;
  readonly constantFeatures: number;
}

/** What a scaler is computed from; moments of several groups of rows can be merged. */
interface Moments {
  readonly count: number;
  /** [d] */
  readonly mean: Float64Array;
  /** [d] sum of squared deviations from the mean. */
  readonly squares: Float64Array;
}

/**
 * Learns each feature's mean and standard deviation on some rows.
 * @param features [n,d] row-major
 * @param rows     indices of the rows to learn from; at least one
 * @see scikit-learn's StandardScaler, whose rule for near-constant features this follows
 */
export function fitScaler(
  features: Float32Array | Float64Array,
  width: number,
  rows: ArrayLike<number>,
): Scaler {
  return scalerOf(measureMoments(features, width, rows));
}

/** Mean and squared deviations of each feature over some rows; zeros for no rows. */
export function measureMoments(
  features: Float32Array | Float64Array,
  width: number,
  rows: ArrayLike<number>,
): Moments {
  const count = rows.length;
  const mean = new Float64Array(width);
  const squares = new Float64Array(width);
  const whole = count - (count % 4); // four rows at a time: the sums are read and written a quarter as often
  const startOf = (i: number): number => rows[i]! * width;
  for (let i = 0; i < whole; i += 4) {
    const [a, b, c, d] = [startOf(i), startOf(i + 1), startOf(i + 2), startOf(i + 3)];
    for (let j = 0; j < width; j++) {
      mean[j] = mean[j]! + (features[a + j]! + features[b + j]! + (features[c + j]! + features[d + j]!));
    }
  }
  for (let i = whole; i < count; i++) {
    for (let j = 0; j < width; j++) mean[j] = mean[j]! + features[startOf(i) + j]!;
  }
  if (count > 0) for (let j = 0; j < width; j++) mean[j] = mean[j]! / count;
  for (let i = 0; i < whole; i += 4) {
    const [a, b, c, d] = [startOf(i), startOf(i + 1), startOf(i + 2), startOf(i + 3)];
    for (let j = 0; j < width; j++) {
      const centre = mean[j]!;
      const p = features[a + j]! - centre;
      const q = features[b + j]! - centre;
      const r = features[c + j]! - centre;
      const s = features[d + j]! - centre;
      squares[j] = squares[j]! + (p * p + q * q + (r * r + s * s));
    }
  }
  for (let i = whole; i < count; i++) {
    for (let j = 0; j < width; j++) squares[j] = squares[j]! + (features[startOf(i) + j]! - mean[j]!) ** 2;
  }
  return { count, mean, squares };
}

/**
 * The moments of all groups' rows together, from each group's own: folds are measured once, however many training
 * sets they are part of.
 * @see Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance"
 */
export function mergeMoments(groups: readonly Moments[]): Moments {
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  const width = groups[0]?.mean.length ?? 0;
  const mean = new Float64Array(width);
  const squares = new Float64Array(width);
  for (const group of groups) {
    const share = group.count / count;
    for (let j = 0; j < width; j++) mean[j] = mean[j]! + share * group.mean[j]!;
  }
  for (const group of groups) {
    for (let j = 0; j < width; j++) {
      const shift = group.mean[j]! - mean[j]!;
      squares[j] = squares[j]! + group.squares[j]! + group.count * shift * shift;
    }
  }
  return { count, mean, squares };
}

/** @param moments of at least one row */
export function scalerOf({ count, mean, squares }: Moments): Scaler {
  let constantFeatures = 0;
  const scale = squares.map((sum, j) => {
    const spread = sum / count;
    if (!isConstant(spread, mean[j]!, count)) return Math.sqrt(spread);
    constantFeatures++;
    return 1;
  });
  return { mean, scale, constantFeatures };
}

/**
 * Standardises rows into a matrix of their own.
 * @param rows indices of the rows to take
 * @param out  [rows.length, d] is written here if given (it may be longer)
 */
export function applyScaler(
  { mean, scale }: Pick<Scaler, "mean" | "scale">,
  features: Float32Array | Float64Array,
  rows: ArrayLike<number>,
  out: Float32Array = new Float32Array(rows.length * mean.length),
): Float32Array {
  const width = mean.length;
  const factor = scale.map((each) => 1 / each); // half the time of dividing, and float32 does not see the difference
  const whole = rows.length - (rows.length % 4);
  for (let i = 0; i < whole; i += 4) {
    // four rows at a time: means and factors are read a quarter as often
    const [a, b, c, d] = [rows[i]! * width, rows[i + 1]! * width, rows[i + 2]! * width, rows[i + 3]! * width];
    for (let j = 0, to = i * width; j < width; j++, to++) {
      const centre = mean[j]!;
      const each = factor[j]!;
      out[to] = (features[a + j]! - centre) * each;
      out[to + width] = (features[b + j]! - centre) * each;
      out[to + 2 * width] = (features[c + j]! - centre) * each;
      out[to + 3 * width] = (features[d + j]! - centre) * each;
    }
  }
  for (let i = whole; i < rows.length; i++) {
    const from = rows[i]! * width;
    for (let j = 0; j < width; j++) out[i * width + j] = (features[from + j]! - mean[j]!) * factor[j]!;
  }
  return out;
}

/** Rows that are standardised together. */
export interface StandardisedRows {
  readonly scaler: Scaler;
  /** [n,d] */
  readonly values: Float32Array;
  readonly width: number;
}

/** Standardises all rows over themselves. @param features [n,d] row-major */
export function standardiseRows(features: Float32Array, width: number): StandardisedRows {
  const rows = Array.from({ length: features.length / width }, (_, row) => row);
  const scaler = fitScaler(features, width, rows);
  return { scaler, values: applyScaler(scaler, features, rows), width };
}

/** scikit-learn's bound on the rounding error of a computed variance: at or below it, the feature is constant. */
function isConstant(variance: number, mean: number, count: number): boolean {
  const epsilon = Number.EPSILON;
  return variance <= count * epsilon * variance + (count * mean * epsilon) ** 2;
}
