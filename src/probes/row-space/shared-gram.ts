import type { RightRows } from "../coded-products.ts";
import type { MatrixMultiplier } from "../matrix-multiplier.ts";
import { applyScaler, type Scaler, type StandardisedRows } from "../scaler.ts";
import type { Workspace } from "../workspace.ts";
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
  /** What training sets' K are made with; null where each is made from nothing. */
  readonly coded: CodedFolds | null;
  readonly workspace: Workspace;
}

/** The places of a fold's rows. */
export interface FoldRows {
  readonly start: number;
  readonly end: number;
}

interface CodedFolds {
  /** Each fold's rows, by its place. */
  readonly rows: ReadonlyMap<number, RightRows>;
  /** Memory for one block of K, of the largest fold's size, and for that fold's codes. */
  readonly codes: Uint8Array;
  readonly known: Float32Array;
  readonly block: Float32Array;
  readonly transposed: Float32Array;
}

/** The places of folds' rows among all, in order. */
export const placesOf = (folds: readonly FoldRows[]): Int32Array =>
  Int32Array.from(
    folds.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
  );

/** With fewer rows, K is made from nothing as quickly, and scales change more from fold to fold. */
const ROWS_WORTH_CODING = 1000;

/** @param folds of the rows, in order */
export async function shareGram(
  multiplier: MatrixMultiplier,
  rows: StandardisedRows,
  folds: readonly FoldRows[],
  workspace: Workspace,
): Promise<SharedGram> {
  const { values, width } = rows;
  const rowCount = values.length / width;
  const gram = workspace.take("K of all rows", rowCount * rowCount);
  await computeGram(multiplier, values, rowCount, width, gram);
  const design = createGramDesign(multiplier, gram, values, rowCount, width);
  const deflation = await deflate(multiplier, design);
  const coded = rowCount < ROWS_WORTH_CODING ? null : await codeFolds(multiplier, rows, folds);
  return { rows, gram, deflation, folds, coded, workspace };
}

async function codeFolds(
  { coded }: MatrixMultiplier,
  { values, width }: StandardisedRows,
  folds: readonly FoldRows[],
): Promise<CodedFolds> {
  const rows = new Map<number, RightRows>();
  for (const { start, end } of folds) {
    rows.set(start, await coded.encodeRight(values.subarray(start * width), end - start, width));
  }
  const largest = Math.max(...folds.map(({ start, end }) => end - start));
  return {
    rows,
    codes: new Uint8Array(largest * width),
    known: new Float32Array(largest ** 2),
    block: new Float32Array(largest ** 2),
    transposed: new Float32Array(largest ** 2),
  };
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
  shared: SharedGram,
  trained: readonly FoldRows[],
  scales: ScaleChange,
  gram: Float32Array,
): Promise<void> {
  const { values, width } = shared.rows;
  const { shift, factor, large } = scales;
  const places = placesOf(trained);
  if (shared.coded === null || large.length > FEATURES_WORTH_CORRECTING * width) {
    const own = shared.workspace.take("rows of a split", places.length * width);
    applyScaler({ mean: shift, scale: factor.map((each) => 1 / each) }, values, places, own);
    await computeGram(multiplier, own, places.length, width, gram);
    return;
  }
  const change = Float32Array.from(factor, (each) => each * each - 1);
  for (const j of large) change[j] = 0;
  await addChanges(multiplier, shared, shared.coded, trained, change, gram);
  if (large.length > 0) await correctGram(multiplier, values, width, scales, places, gram);
}

/** gram [n,n] <- what all rows' K has for the rows of some folds + Σ_j change_j z_j z_j^T, block by block. */
async function addChanges(
  { coded }: MatrixMultiplier,
  { rows: { values, width }, gram: all }: SharedGram,
  { rows: codedRows, codes, known, block, transposed }: CodedFolds,
  trained: readonly FoldRows[],
  change: Float32Array,
  gram: Float32Array,
): Promise<void> {
  const total = values.length / width;
  const n = trained.reduce((sum, { start, end }) => sum + end - start, 0);
  let top = 0;
  for (const { start, end } of trained) {
    const height = end - start;
    const rows = await coded.encodeLeft(values.subarray(start * width), height, width, change, codes);
    let left = 0;
    for (const other of trained) {
      if (other.start > start) break; // K is symmetric
      const columns = other.end - other.start;
      for (let i = 0; i < height; i++) {
        const from = (start + i) * total + other.start;
        known.set(all.subarray(from, from + columns), i * columns);
      }
      await coded.multiply(rows, codedRows.get(other.start)!, known, block, transposed);
      // the lower triangle, and its mirror image
      const isDiagonal = other.start === start;
      for (let i = 0; i < height; i++) {
        const end = isDiagonal ? i + 1 : columns;
        gram.set(block.subarray(i * columns, i * columns + end), (top + i) * n + left);
      }
      for (let i = 0; i < columns; i++) {
        const begin = isDiagonal ? i : 0;
        const own = transposed.subarray(i * height + begin, (i + 1) * height);
        gram.set(own, (left + i) * n + top + begin);
      }
      left += columns;
    }
    top += height;
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
