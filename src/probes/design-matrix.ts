import { transpose, transposeInto } from "../math/vector.ts";
import type { MatrixMultiplier } from "./products/matrix-multiplier.ts";

/**
 * The standardised rows Z [n,d] of a regression, accessed only through products. Weights are kept as w = Z^T u for
 * *duals* u, one number per row, so that what is iterated on is K = Z Z^T: one product per iteration, shared by all
 * regressions that are fitted together.
 */
export interface DesignMatrix {
  readonly rowCount: number;
  readonly width: number;
  /**
   * out [A,n] = vectors K
   * @param vectors [A,n]
   * @param count   A; the arrays may be longer
   */
  applyGram(vectors: Float32Array, count: number, out: Float32Array): Promise<void>;
  /** [n,n] the Gram matrix K, if it has been computed; may be longer. */
  readonly gram: Float32Array | null;
  /** @returns for each of the [n] duals its weights Z^T u [d] */
  combine(duals: readonly Float64Array[]): Promise<Float64Array[]>;
  /**
   * Products in float64, for fits that must be more exact than float32 products allow; null if unavailable.
   * @internal
   */
  readonly exact: ExactProducts | null;
}

/** A design that also has exact products. */
export type ExactDesignMatrix = DesignMatrix & { readonly exact: ExactProducts };

/**
 * A design whose products run in float32 on onnxruntime as Z (Z^T ·): the best choice where rows far outnumber
 * features, or iterations are few. It keeps a transposed copy of Z once it is used.
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
  const multiplyIntoRows = createRowProducts(multiplier);
  return {
    rowCount,
    width,
    async applyGram(vectors, count, out) {
      transposed ??= transpose(features, rowCount, width);
      if (inner.length < count * width) inner = new Float32Array(count * width);
      const n = count;
      // [d,A] = Z^T vectors^T, then [n,A] = Z [d,A]: the large matrix on the left of both
      await multiplier.multiply(transposed, vectors, inner, { m: width, k: rowCount, n, transposeB: true });
      await multiplyIntoRows(features, inner, out, { m: rowCount, k: width, n, transposeB: false });
    },
    gram: null,
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
      const duals = Array.from(
        { length: count },
        (_, a) => new Float64Array(vectors.subarray(a * rowCount, (a + 1) * rowCount)),
      );
      const images = exact.predict(exact.combine(duals));
      for (const [a, image] of images.entries()) out.set(image, a * rowCount);
    },
    gram: null,
    combine: async (duals) => exact.combine(duals),
    exact,
  };
}

/** Products whose columns are wanted as rows: out [n,m] = (A B)^T, by a product with the large matrix A on the left. */
export function createRowProducts(multiplier: MatrixMultiplier): MatrixMultiplier["multiply"] {
  let columns = new Float32Array(0);
  return async (a, b, out, shape) => {
    const { m, n } = shape;
    if (columns.length < m * n) columns = new Float32Array(m * n);
    await multiplier.multiply(a, b, columns, shape);
    transposeInto(columns, m, n, out);
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
  return duals.map((_, a) => new Float64Array(weights.subarray(a * width, (a + 1) * width)));
}

/** Z w for each w by one float32 product. */
export async function predictFast(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  rowCount: number,
  width: number,
  weights: readonly Float64Array[],
): Promise<Float64Array[]> {
  const count = weights.length;
  const stacked = new Float32Array(count * width);
  weights.forEach((each, a) => {
    stacked.set(each, a * width);
  });
  const products = new Float32Array(rowCount * count);
  const shape = { m: rowCount, k: width, n: count, transposeB: true };
  await multiplier.multiply(features, stacked, products, shape);
  return weights.map((_, a) => {
    const own = new Float64Array(rowCount);
    for (let i = 0, at = a; i < rowCount; i++, at += count) own[i] = products[at]!;
    return own;
  });
}

/** Products with the standardised rows Z [n,d] that accumulate in float64. */
export interface ExactProducts {
  /** @returns Z w [n] for each */
  predict(weights: readonly Float64Array[]): Float64Array[];
  /** @returns Z^T u [d] for each */
  combine(duals: readonly Float64Array[]): Float64Array[];
}

/**
 * {@link ExactProducts} in plain TypeScript. Vectors are multiplied two at a time, since reading the matrix takes as
 * long as multiplying by it.
 * @param features [n,d] row-major; may be longer, only the first n rows are used; not copied
 */
export function createExactProducts(
  features: Float32Array | Float64Array,
  rowCount: number,
  width: number,
): ExactProducts {
  return {
    predict: (weights) => inPairs(weights, rowCount, (pair, out) => predictPair(features, width, pair, out)),
    combine: (duals) => inPairs(duals, width, (pair, out) => combinePair(features, width, pair, out)),
  };
}

type Pair = readonly [Float64Array, Float64Array];

/** Multiplies vectors in pairs, the last of an odd count with itself. */
function inPairs(
  vectors: readonly Float64Array[],
  length: number,
  multiply: (pair: Pair, out: Pair) => void,
): Float64Array[] {
  const products = vectors.map(() => new Float64Array(length));
  for (let a = 0; a < vectors.length; a += 2) {
    const isLast = a + 1 === vectors.length;
    const b = isLast ? a : a + 1;
    multiply([vectors[a]!, vectors[b]!], [products[a]!, isLast ? new Float64Array(length) : products[b]!]);
  }
  return products;
}

function predictPair(
  features: Float32Array | Float64Array,
  width: number,
  [first, second]: Pair,
  [outFirst, outSecond]: Pair,
): void {
  for (let row = 0; row < outFirst.length; row++) {
    const start = row * width;
    let a = 0; // two sums of each: an addition waits for the one before it
    let aOdd = 0;
    let b = 0;
    let bOdd = 0;
    for (let j = 0; j + 1 < width; j += 2) {
      const even = features[start + j]!;
      const odd = features[start + j + 1]!;
      a += even * first[j]!;
      b += even * second[j]!;
      aOdd += odd * first[j + 1]!;
      bOdd += odd * second[j + 1]!;
    }
    if (width % 2 === 1) {
      const last = features[start + width - 1]!;
      a += last * first[width - 1]!;
      b += last * second[width - 1]!;
    }
    outFirst[row] = a + aOdd;
    outSecond[row] = b + bOdd;
  }
}

function combinePair(
  features: Float32Array | Float64Array,
  width: number,
  [first, second]: Pair,
  [outFirst, outSecond]: Pair,
): void {
  const whole = first.length - (first.length % 4);
  for (let row = 0; row < whole; row += 4) {
    // four rows at a time: the sums are read and written a quarter as often
    const [a0, a1, a2, a3] = [first[row]!, first[row + 1]!, first[row + 2]!, first[row + 3]!];
    const [b0, b1, b2, b3] = [second[row]!, second[row + 1]!, second[row + 2]!, second[row + 3]!];
    for (let j = 0, at = row * width; j < width; j++, at++) {
      const z0 = features[at]!;
      const z1 = features[at + width]!;
      const z2 = features[at + 2 * width]!;
      const z3 = features[at + 3 * width]!;
      outFirst[j] = outFirst[j]! + a0 * z0 + a1 * z1 + a2 * z2 + a3 * z3;
      outSecond[j] = outSecond[j]! + b0 * z0 + b1 * z1 + b2 * z2 + b3 * z3;
    }
  }
  for (let row = whole; row < first.length; row++) {
    for (let j = 0, at = row * width; j < width; j++, at++) {
      outFirst[j] = outFirst[j]! + first[row]! * features[at]!;
      outSecond[j] = outSecond[j]! + second[row]! * features[at]!;
    }
  }
}
