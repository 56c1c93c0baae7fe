import type { MatrixMultiplier } from "./matrix-multiplier.ts";

/**
 * The rows of a regression, seen only through its two products. A columns (weight vectors, or residuals) pass
 * through in one call, so that several fits share each pass over the matrix.
 */
export interface DesignMatrix {
  readonly rowCount: number;
  readonly width: number;
  /** out[a] [n] = Z weights[a] [d] */
  predict(weights: readonly Float64Array[], out: readonly Float64Array[]): Promise<void>;
  /** out[a] [d] = Z^T residuals[a] [n] */
  combine(residuals: readonly Float64Array[], out: readonly Float64Array[]): Promise<void>;
}

/**
 * A design whose products run in float32 on onnxruntime: for sweeps over many columns.
 * @param features [n,d] row-major; may be longer, only the first n rows are used; not copied
 */
export function createFastDesign(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  rowCount: number,
  width: number,
): DesignMatrix {
  let narrow = new Float32Array(0);
  let long = new Float32Array(0);
  const reserve = (count: number): void => {
    if (narrow.length >= count * width) return;
    narrow = new Float32Array(count * width);
    long = new Float32Array(count * rowCount);
  };
  return {
    rowCount,
    width,
    async predict(weights, out) {
      const count = weights.length;
      reserve(count);
      weights.forEach((vector, a) => {
        narrow.set(vector, a * width);
      });
      // F [A,n] = W [A,d] Z^T
      await multiplier.multiply(narrow, features, long, {
        m: count,
        k: width,
        n: rowCount,
        transposeB: true,
      });
      out.forEach((vector, a) => {
        vector.set(long.subarray(a * rowCount, (a + 1) * rowCount));
      });
    },
    async combine(residuals, out) {
      const count = residuals.length;
      reserve(count);
      residuals.forEach((vector, a) => {
        long.set(vector, a * rowCount);
      });
      // G [A,d] = R [A,n] Z
      await multiplier.multiply(long, features, narrow, {
        m: count,
        k: rowCount,
        n: width,
        transposeB: false,
      });
      out.forEach((vector, a) => {
        vector.set(narrow.subarray(a * width, (a + 1) * width));
      });
    },
  };
}

/**
 * A design whose products accumulate in float64: for the probes that are kept.
 * @param features [n,d] row-major; may be longer, only the first n rows are used; not copied
 */
export function createExactDesign(
  features: Float32Array | Float64Array,
  rowCount: number,
  width: number,
): DesignMatrix {
  return {
    rowCount,
    width,
    async predict(weights, out) {
      weights.forEach((vector, a) => {
        const predictions = out[a]!;
        for (let row = 0; row < rowCount; row++) {
          const start = row * width;
          let sum = 0;
          for (let j = 0; j < width; j++) sum += features[start + j]! * vector[j]!;
          predictions[row] = sum;
        }
      });
    },
    async combine(residuals, out) {
      residuals.forEach((vector, a) => {
        const sums = out[a]!.fill(0);
        for (let row = 0; row < rowCount; row++) {
          const scale = vector[row]!;
          const start = row * width;
          for (let j = 0; j < width; j++) sums[j] = sums[j]! + scale * features[start + j]!;
        }
      });
    },
  };
}
