/** Standardisation learned on training rows. */
export interface Scaler {
  /** [d] */
  readonly mean: Float64Array;
  /** [d] standard deviation over the rows (divided by n, not n - 1); 1 for a constant feature. */
  readonly scale: Float64Array;
  readonly constantFeatures: number;
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
  const count = rows.length;
  const mean = new Float64Array(width);
  const variance = new Float64Array(width);
  for (let i = 0; i < count; i++) {
    const start = rows[i]! * width;
    for (let j = 0; j < width; j++) mean[j] = mean[j]! + features[start + j]!;
  }
  for (let j = 0; j < width; j++) mean[j] = mean[j]! / count;
  for (let i = 0; i < count; i++) {
    const start = rows[i]! * width;
    for (let j = 0; j < width; j++) {
      const deviation = features[start + j]! - mean[j]!;
      variance[j] = variance[j]! + deviation * deviation;
    }
  }
  let constantFeatures = 0;
  const scale = variance.map((sum, j) => {
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
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i]! * width;
    const to = i * width;
    for (let j = 0; j < width; j++) out[to + j] = (features[from + j]! - mean[j]!) / scale[j]!;
  }
  return out;
}

/** scikit-learn's bound on the rounding error of a computed variance: at or below it, the feature is constant. */
function isConstant(variance: number, mean: number, count: number): boolean {
  const epsilon = Number.EPSILON;
  return variance <= count * epsilon * variance + (count * mean * epsilon) ** 2;
}
