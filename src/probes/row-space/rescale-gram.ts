import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { applyScaler } from "../scaler.ts";
import { computeGram } from "./gram-design.ts";
import type { ScaleChange } from "./scale-change.ts";
import { type CodedFolds, type FoldRows, placesOf, type SharedGram } from "./shared-gram.ts";

/**
 * Makes K of the rows of some folds, each feature on a scale of its own: that of all rows, plus what the change of
 * scales does, Σ_j (factor_j² - 1) z_j z_j^T. As the changes are of a few percent, they are multiplied in eight bits,
 * which is three times as fast, and features that change much, or have peaks, are corrected in float32. Where that
 * would not do, K is made from nothing.
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
  const { shift, factor, corrected, isSmall } = scales;
  const places = placesOf(trained);
  if (shared.coded === null || !isSmall) {
    const own = shared.scratch.take("rows of a split", places.length * width);
    applyScaler({ mean: shift, scale: factor.map((each) => 1 / each) }, values, places, own);
    await computeGram(multiplier, own, places.length, width, gram);
    return;
  }
  const change = Float32Array.from(factor, (each) => each * each - 1);
  for (const j of corrected) change[j] = 0;
  await addChanges(multiplier, shared, shared.coded, trained, change, gram);
  if (corrected.length > 0) await correctGram(multiplier, values, width, scales, places, gram);
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

/** gram [n,n] <- gram + Σ over corrected features of z' z'^T - z z^T, with z' the feature on the new scale. */
async function correctGram(
  multiplier: MatrixMultiplier,
  values: Float32Array,
  width: number,
  { shift, factor, corrected }: ScaleChange,
  places: Int32Array,
  gram: Float32Array,
): Promise<void> {
  const n = places.length;
  const k = 2 * corrected.length;
  const left = new Float32Array(n * k);
  const right = new Float32Array(n * k);
  for (let i = 0, at = 0; i < n; i++) {
    for (const j of corrected) {
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
