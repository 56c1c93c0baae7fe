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
