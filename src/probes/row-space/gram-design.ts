import { type Allocate, allocateNew } from "../../math/vector.ts";
import {
  combineFast,
  createFastDesign,
  createRowProducts,
  type DesignMatrix,
  type ExactDesignMatrix,
} from "../design-matrix.ts";
import { createExactProducts } from "../products/exact-products.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";

/**
 * Most blocks of rows that K is made in: it is symmetric, so each block stops at its diagonal, saving almost half.
 */
const MOST_BLOCKS = 8;
/** A product of fewer rows is too small to be cut further. */
const ROWS_OF_A_BLOCK = 100;

/**
 * Computes K = Z Z^T.
 * @param features [n,d]; may be longer
 * @param gram     [n,n] is written here; may be longer
 */
export async function computeGram(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  rowCount: number,
  width: number,
  gram: Float32Array,
): Promise<void> {
  const blocks = Math.min(MOST_BLOCKS, Math.max(1, Math.floor(rowCount / ROWS_OF_A_BLOCK)));
  const height = Math.ceil(rowCount / blocks);
  const block = new Float32Array(height * rowCount);
  for (let top = 0; top < rowCount; top += height) {
    const bottom = Math.min(top + height, rowCount);
    const own = features.subarray(top * width, bottom * width);
    const shape = { m: bottom - top, k: width, n: bottom, transposeB: true };
    await multiplier.multiply(own, features, block, shape);
    for (let i = top; i < bottom; i++) {
      const from = (i - top) * bottom;
      gram.set(block.subarray(from, from + bottom), i * rowCount);
    }
  }
  mirror(gram, rowCount);
}

/** Whether K is the smaller matrix to iterate on: rows are fewer than twice the features. */
export const isGramSmaller = (rowCount: number, width: number): boolean => rowCount < 2 * width;

/**
 * The design whose iterations read the smaller matrix, K or the features.
 * @param features [n,d]; may be longer, not copied
 * @param allocate gives K its memory, if it is made
 */
export async function createIterativeDesign(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  rowCount: number,
  width: number,
  allocate: Allocate = allocateNew,
): Promise<ExactDesignMatrix> {
  if (!isGramSmaller(rowCount, width)) return createFastDesign(multiplier, features, rowCount, width);
  const gram = allocate(rowCount ** 2);
  await computeGram(multiplier, features, rowCount, width, gram);
  return createGramDesign(multiplier, gram, features, rowCount, width);
}

/**
 * A design whose K is at hand.
 * @param gram     [n,n] K = Z Z^T, see {@link computeGram}
 * @param features [n,d]; may be longer, not copied
 */
export function createGramDesign(
  multiplier: MatrixMultiplier,
  gram: Float32Array,
  features: Float32Array,
  rowCount: number,
  width: number,
): ExactDesignMatrix {
  return {
    rowCount,
    width,
    applyGram: multiplyByGram(multiplier, gram, rowCount),
    gram,
    combine: (duals) => combineFast(multiplier, features, rowCount, width, duals),
    exact: createExactProducts(features, rowCount, width),
  };
}

/**
 * Products with K as it is.
 * @param gram [n,n]
 */
export function multiplyByGram(
  multiplier: MatrixMultiplier,
  gram: Float32Array,
  n: number,
): DesignMatrix["applyGram"] {
  const multiplyIntoRows = createRowProducts(multiplier);
  return (vectors, count, out) =>
    multiplyIntoRows(gram, vectors, out, { m: n, k: n, n: count, transposeB: true });
}

const TILE = 32;

/** Copies the lower triangle to the upper one, tile by tile. */
function mirror(gram: Float32Array, n: number): void {
  for (let top = 0; top < n; top += TILE) {
    const bottom = Math.min(top + TILE, n);
    for (let left = top; left < n; left += TILE) {
      const right = Math.min(left + TILE, n);
      for (let i = top; i < bottom; i++) {
        for (let j = Math.max(left, i + 1); j < right; j++) gram[i * n + j] = gram[j * n + i]!;
      }
    }
  }
}
