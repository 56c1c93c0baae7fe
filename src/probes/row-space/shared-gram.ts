import type { RightRows } from "../coded-products.ts";
import type { MatrixMultiplier } from "../matrix-multiplier.ts";
import { applyScaler, type Scaler, type StandardisedRows } from "../scaler.ts";
import { type Deflation, deflate } from "./deflation.ts";
import { computeGram, createGramDesign } from "./gram-design.ts";

/**
 * All rows, standardised together, with their K = Z Z^T: what K of each training set is made from. The rows of a fold
 * are next to one another.
 */
export interface SharedGram {
  readonly rows: StandardisedRows;
  /** [N,N] */
  readonly gram: Float32Array;
  readonly deflation: Deflation | null;
  /** One a fold, in order. */
  readonly folds: readonly FoldRows[];
}

/** The rows of a fold. */
export interface FoldRows {
  readonly start: number;
  readonly end: number;
  readonly coded: RightRows;
}

/** The places of folds' rows among all, in order. */
export const placesOf = (folds: readonly FoldRows[]): Int32Array =>
  Int32Array.from(
    folds.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
  );

/** @param starts [folds + 1] where each fold begins, and the number of rows */
export async function shareGram(
  multiplier: MatrixMultiplier,
  rows: StandardisedRows,
  starts: ArrayLike<number>,
): Promise<SharedGram> {
  const { values, width } = rows;
  const rowCount = values.length / width;
  const gram = new Float32Array(rowCount * rowCount);
  await computeGram(multiplier, values, rowCount, width, gram);
  const folds: FoldRows[] = [];
  for (let fold = 0; fold + 1 < starts.length; fold++) {
    const [start, end] = [starts[fold]!, starts[fold + 1]!];
    const own = values.subarray(start * width, end * width);
    folds.push({ start, end, coded: await multiplier.coded.encodeRight(own, end - start, width) });
  }
  const design = createGramDesign(multiplier, gram, values, rowCount, width);
  return { rows, gram, deflation: await deflate(multiplier, design), folds };
}

/** How features of a training set differ from those of all rows: (z - shift) · factor. */
export interface ScaleChange {
  /** [d] 0 but for large changes: the intercept takes up what is left of the means. */
  readonly shift: Float64Array;
  /** [d] */
  readonly factor: Float64Array;
  /** Features whose changes eight bits do not tell well enough. */
  readonly large: readonly number[];
}

/** Change of a feature's variance, or of its mean, in units of all rows'. */
const LARGE_CHANGE = 0.2;

export function changeScale(from: Scaler, to: Scaler): ScaleChange {
  const shift = to.mean.map((mean, j) => (mean - from.mean[j]!) / from.scale[j]!);
  const factor = to.scale.map((scale, j) => from.scale[j]! / scale);
  const isLarge = (j: number): boolean =>
    Math.abs(factor[j]! ** 2 - 1) > LARGE_CHANGE || Math.abs(shift[j]!) > LARGE_CHANGE;
  return {
    shift: shift.map((own, j) => (isLarge(j) ? own : 0)),
    factor,
    large: Array.from(shift.keys()).filter(isLarge),
  };
}

/** With more features than this share of large changes, K from nothing is quicker. */
const FEATURES_WORTH_CORRECTING = 1 / 8;

/**
 * Makes K of the rows of some folds, each feature on a scale of its own: that of all rows, plus what the change of
 * scales does, Σ_j (factor_j² - 1) z_j z_j^T. As the changes are of a few percent, they are multiplied in eight bits,
 * which is three times as fast and leaves K as exact as half a thousandth of it; features that change much are
 * corrected in float32.
 * @param trained folds of the n rows
 * @param gram    [n,n] is written here; may be longer
 */
export async function rescaleGram(
  multiplier: MatrixMultiplier,
  { rows: { values, width }, gram: all }: SharedGram,
  trained: readonly FoldRows[],
  { shift, factor, large }: ScaleChange,
  gram: Float32Array,
): Promise<void> {
  const places = placesOf(trained);
  const n = places.length;
  if (large.length > FEATURES_WORTH_CORRECTING * width) {
    const own = applyScaler({ mean: shift, scale: factor.map((each) => 1 / each) }, values, places);
    await computeGram(multiplier, own, n, width, gram);
    return;
  }
  const change = Float32Array.from(factor, (each) => each * each - 1);
  for (const j of large) change[j] = 0;
  let top = 0;
  for (const { start, end } of trained) {
    const own = values.subarray(start * width, end * width);
    const rows = await multiplier.coded.encodeLeft(own, end - start, width, change);
    let left = 0;
    for (const other of trained) {
      if (other.start > start) break; // K is symmetric
      const columns = other.coded.rowCount;
      const known = takeBlock(all, values.length / width, start, other.start, end - start, columns);
      const [sum, turned] = await multiplier.coded.multiply(rows, other.coded, known);
      const isDiagonal = left === top;
      // the lower triangle, and its mirror image
      setRows(gram, n, top, left, sum, columns, (i) => [0, isDiagonal ? i + 1 : columns]);
      setRows(gram, n, left, top, turned, end - start, (i) => [isDiagonal ? i : 0, end - start]);
      left += columns;
    }
    top += end - start;
  }
  if (large.length > 0) await correctGram(multiplier, values, width, { shift, factor, large }, places, gram);
}

/** [height, width] of a matrix with rows of a length, from a place on. */
function takeBlock(
  matrix: Float32Array,
  length: number,
  top: number,
  left: number,
  height: number,
  width: number,
): Float32Array {
  const block = new Float32Array(height * width);
  for (let i = 0; i < height; i++) {
    const from = (top + i) * length + left;
    block.set(matrix.subarray(from, from + width), i * width);
  }
  return block;
}

/** Writes a block's rows into a matrix at a place, of each row what `range` says. */
function setRows(
  matrix: Float32Array,
  length: number,
  top: number,
  left: number,
  block: Float32Array,
  width: number,
  range: (row: number) => readonly [number, number],
): void {
  for (let i = 0; i < block.length / width; i++) {
    const [begin, end] = range(i);
    matrix.set(block.subarray(i * width + begin, i * width + end), (top + i) * length + left + begin);
  }
}

/** Rows of K that are corrected by one product. */
const ROWS_OF_A_BLOCK = 128;

/** gram [n,n] <- gram + Σ over features of large changes of z' z'^T - z z^T, with z' the feature on the new scale. */
async function correctGram(
  multiplier: MatrixMultiplier,
  values: Float32Array,
  width: number,
  { shift, factor, large }: ScaleChange,
  places: Int32Array,
  gram: Float32Array,
): Promise<void> {
  const n = places.length;
  const k = 2 * large.length;
  const left = new Float32Array(n * k);
  const right = new Float32Array(n * k);
  for (let i = 0, at = 0; i < n; i++) {
    for (const j of large) {
      const before = values[places[i]! * width + j]!;
      const after = (before - shift[j]!) * factor[j]!;
      left[at] = after;
      right[at++] = after;
      left[at] = -before;
      right[at++] = before;
    }
  }
  const block = new Float32Array(ROWS_OF_A_BLOCK * n);
  for (let top = 0; top < n; top += ROWS_OF_A_BLOCK) {
    const m = Math.min(ROWS_OF_A_BLOCK, n - top);
    await multiplier.multiply(left.subarray(top * k), right, block, { m, k, n, transposeB: true });
    for (let i = 0, at = top * n; i < m * n; i++, at++) gram[at] = gram[at]! + block[i]!;
  }
}
