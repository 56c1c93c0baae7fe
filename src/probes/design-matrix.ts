import { transpose } from "../math/transpose.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";

/**
 * The standardised rows Z [n,d] of a regression, seen only through products. Weights are kept as w = Z^T u for
 * *duals* u, one number a row, so that what is iterated on is K = Z Z^T: one product an iteration, shared by all
 * regressions that are fitted together.
 */
export interface DesignMatrix {
  readonly rowCount: number;
  readonly width: number;
  /**
   * out [n,A] = K vectors^T
   * @param vectors [A,n]
   * @param count   A; the arrays may be longer
   */
  applyGram(vectors: Float32Array, count: number, out: Float32Array): Promise<void>;
  /** @returns for each of the [n] duals its weights Z^T u [d] */
  combine(duals: readonly Float64Array[]): Promise<Float64Array[]>;
  /** The same matrix in float64, for fits that must be more exact than float32 products allow; null if not there. */
  readonly exact: ExactProducts | null;
}

/** A design that has exact products, too. */
export type ExactDesignMatrix = DesignMatrix & { readonly exact: ExactProducts };

/** Products that accumulate in float64. */
export interface ExactProducts {
  /** @returns Z w [n] */
  predict(weights: Float64Array): Float64Array;
  /** @returns Z^T u [d] */
  combine(dual: Float64Array): Float64Array;
}

/**
 * A design whose products run in float32 on onnxruntime as Z (Z^T ·): right where rows are many more than features,
 * or iterations few. It keeps a transposed copy of Z once it is used.
 * @param features [n,d] row-major; may be longer, only the first n rows are used; not copied
 */
export function createFastDesign(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  rowCount: number,
  width: number,
): ExactDesignMatrix {
  let transposed: Float32Array | null = null;
  let inner = new Float32Array(0);
  return {
    rowCount,
    width,
    async applyGram(vectors, count, out) {
      transposed ??= transpose(features, rowCount, width);
      if (inner.length < count * width) inner = new Float32Array(count * width);
      const n = count;
      // [d,A] = Z^T vectors^T, then [n,A] = Z [d,A]: the large matrix on the left of both
      await multiplier.multiply(transposed, vectors, inner, { m: width, k: rowCount, n, transposeB: true });
      await multiplier.multiply(features, inner, out, { m: rowCount, k: width, n, transposeB: false });
    },
    combine: (duals) => combineFast(multiplier, features, rowCount, width, duals),
    exact: createExactProducts(features, rowCount, width),
  };
}

/**
 * A design whose products accumulate in float64, in plain TypeScript: for few features.
 * @param features [n,d] row-major; may be longer, only the first n rows are used; not copied
 */
export function createExactDesign(
  features: Float32Array | Float64Array,
  rowCount: number,
  width: number,
): ExactDesignMatrix {
  const exact = createExactProducts(features, rowCount, width);
  return {
    rowCount,
    width,
    async applyGram(vectors, count, out) {
      for (let a = 0; a < count; a++) {
        const dual = Float64Array.from(vectors.subarray(a * rowCount, (a + 1) * rowCount));
        const image = exact.predict(exact.combine(dual));
        for (let i = 0; i < rowCount; i++) out[i * count + a] = image[i]!;
      }
    },
    combine: async (duals) => duals.map(exact.combine),
    exact,
  };
}

/** Z^T u for each u by one float32 product. */
export async function combineFast(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  rowCount: number,
  width: number,
  duals: readonly Float64Array[],
): Promise<Float64Array[]> {
  const count = duals.length;
  const stacked = new Float32Array(count * rowCount);
  duals.forEach((dual, a) => {
    stacked.set(dual, a * rowCount);
  });
  const weights = new Float32Array(count * width);
  const shape = { m: count, k: rowCount, n: width, transposeB: false };
  await multiplier.multiply(stacked, features, weights, shape);
  return duals.map((_, a) => Float64Array.from(weights.subarray(a * width, (a + 1) * width)));
}

function createExactProducts(
  features: Float32Array | Float64Array,
  rowCount: number,
  width: number,
): ExactProducts {
  return {
    predict(weights) {
      const predictions = new Float64Array(rowCount);
      for (let row = 0; row < rowCount; row++) {
        const start = row * width;
        let even = 0; // two sums: each addition waits for the one before it
        let odd = 0;
        for (let j = 0; j + 1 < width; j += 2) {
          even += features[start + j]! * weights[j]!;
          odd += features[start + j + 1]! * weights[j + 1]!;
        }
        if (width % 2 === 1) even += features[start + width - 1]! * weights[width - 1]!;
        predictions[row] = even + odd;
      }
      return predictions;
    },
    combine(dual) {
      const weights = new Float64Array(width);
      const whole = rowCount - (rowCount % 4);
      for (let row = 0; row < whole; row += 4) {
        // four rows at a time: the sums are read and written a quarter as often
        const [a, b, c, d] = [dual[row]!, dual[row + 1]!, dual[row + 2]!, dual[row + 3]!];
        const start = row * width;
        for (let j = 0, at = start; j < width; j++, at++) {
          weights[j] =
            weights[j]! +
            a * features[at]! +
            b * features[at + width]! +
            c * features[at + 2 * width]! +
            d * features[at + 3 * width]!;
        }
      }
      for (let row = whole; row < rowCount; row++) {
        const start = row * width;
        for (let j = 0; j < width; j++) weights[j] = weights[j]! + dual[row]! * features[start + j]!;
      }
      return weights;
    },
  };
}
