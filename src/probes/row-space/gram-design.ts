import { type Allocate, allocateNew } from "../../math/vector.ts";
import {
  combineFast,
  createExactProducts,
  createFastDesign,
  createRowProducts,
  type DesignMatrix,
  type ExactDesignMatrix,
} from "../design-matrix.ts";
import type { RightRows } from "../products/coded-products.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { Scratch } from "../products/scratch.ts";
import type { StandardisedRows } from "../scaler.ts";
import { type Deflation, deflate, ROWS_WORTH_DEFLATING } from "./deflation.ts";

/**
 * Most blocks of rows that the Gram matrix is computed in. It is symmetric, so each block stops at its diagonal, which
 * saves almost half.
 */
const MOST_BLOCKS = 8;
/** A product of fewer rows is too small to be cut further. */
const ROWS_OF_A_BLOCK = 100;

/**
 * Computes the Gram matrix K = Z Z^T.
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

/** Whether iterating on the Gram matrix is cheaper than on the features: rows are fewer than twice the features. */
export const isGramSmaller = (rowCount: number, width: number): boolean => rowCount < 2 * width;

/**
 * The design whose iterations read the smaller matrix, the Gram matrix or the features.
 * @param features [n,d]; may be longer, not copied
 * @param allocate gives the Gram matrix its memory, if it is computed
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
 * A design whose Gram matrix is given.
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
 * Products with the Gram matrix as it is.
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

/**
 * All rows, standardised together, with their Gram matrix, from which that of each training set is computed. The rows of
 * a fold are adjacent.
 */
export interface SharedGram {
  readonly rows: StandardisedRows;
  /** [N,N] */
  readonly gram: Float32Array;
  readonly deflation: Deflation | null;
  /** One per fold, in order. */
  readonly folds: readonly FoldRows[];
  /** Codes for updating the Gram matrix of training sets; null where each is computed from scratch. */
  readonly coded: CodedFolds | null;
  readonly scratch: Scratch;
}

/** Where a fold's rows are. */
export interface FoldRows {
  readonly start: number;
  readonly end: number;
}

export interface CodedFolds {
  /** [d] each feature's largest magnitude; those that are in the codes. */
  readonly peaks: Float64Array;
  readonly isCoded: readonly boolean[];
  /** Each fold's rows, by where they start. */
  readonly rows: ReadonlyMap<number, RightRows>;
  /** Memory for one block of the Gram matrix, of the largest fold's size, and for that fold's codes. */
  readonly codes: Uint8Array;
  readonly known: Float32Array;
  readonly block: Float32Array;
  readonly transposed: Float32Array;
}

/** Indices of the folds' rows among all rows, in order. */
export const placesOf = (folds: readonly FoldRows[]): Int32Array =>
  Int32Array.from(
    folds.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
  );

/** With fewer rows, computing the Gram matrix from scratch is as fast, and scales change more from fold to fold. */
const ROWS_WORTH_CODING = 1000;

/** @param folds of the rows, in order */
export async function shareGram(
  multiplier: MatrixMultiplier,
  rows: StandardisedRows,
  folds: readonly FoldRows[],
  scratch: Scratch,
): Promise<SharedGram> {
  const { values, width } = rows;
  const rowCount = values.length / width;
  const gram = scratch.take("Gram matrix of all rows", rowCount * rowCount);
  await computeGram(multiplier, values, rowCount, width, gram);
  const design = createGramDesign(multiplier, gram, values, rowCount, width);
  const deflation = rowCount < ROWS_WORTH_DEFLATING ? null : await deflate(multiplier, design);
  const coded = rowCount < ROWS_WORTH_CODING ? null : await codeFolds(multiplier, rows, folds);
  return { rows, gram, deflation, folds, coded, scratch };
}

/** In standard deviations. The steps of a row's codes grow with its peak; beyond this one, a feature is left out. */
const LARGEST_PEAK = 12;

async function codeFolds(
  { coded }: MatrixMultiplier,
  { values, width }: StandardisedRows,
  folds: readonly FoldRows[],
): Promise<CodedFolds> {
  const peaks = findPeaks(values, width);
  const isCoded = Array.from(peaks, (peak) => peak <= LARGEST_PEAK);
  const factors = Float32Array.from(isCoded, Number);
  const rows = new Map<number, RightRows>();
  for (const { start, end } of folds.filter((fold) => fold.end > fold.start)) {
    rows.set(start, await coded.encodeRight(values.subarray(start * width), end - start, width, factors));
  }
  const largest = Math.max(...folds.map(({ start, end }) => end - start));
  return {
    peaks,
    isCoded,
    rows,
    codes: new Uint8Array(largest * width),
    known: new Float32Array(largest ** 2),
    block: new Float32Array(largest ** 2),
    transposed: new Float32Array(largest ** 2),
  };
}

/** [d] each column's largest magnitude. */
function findPeaks(values: Float32Array, width: number): Float64Array {
  const peaks = new Float64Array(width);
  for (let at = 0; at < values.length; ) {
    for (let j = 0; j < width; j++, at++) {
      const size = Math.abs(values[at]!);
      if (size > peaks[j]!) peaks[j] = size;
    }
  }
  return peaks;
}
