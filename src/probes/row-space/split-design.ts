import { dot, sum } from "../../math/vector.ts";
import { combineFast, type DesignMatrix, predictFast } from "../design-matrix.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { applyScaler, type Scaler, type StandardisedRows } from "../scaler.ts";
import { restrictDeflation } from "./deflation.ts";
import {
  type CodedFolds,
  computeGram,
  type FoldRows,
  multiplyByGram,
  placesOf,
  type SharedGram,
} from "./gram-design.ts";

/** The design of the training rows, which also scores the held-out rows. */
export interface SplitDesign extends DesignMatrix {
  /** [k,n] approximately the leading duals, to start deflation from; null to start from scratch. */
  readonly leading: Float32Array | null;
  /** @returns Z_held w [m] for each */
  predictHeld(weights: readonly Float64Array[]): Promise<Float64Array[]>;
}

/**
 * A design of all folds except some, each feature standardised over the training rows, built from what all splits share.
 * @param scaler   of the training rows
 * @param excluded folds held out
 * @param gram     [n,n] is written here; may be longer
 */
export async function createSplitDesign(
  multiplier: MatrixMultiplier,
  shared: SharedGram,
  scaler: Scaler,
  excluded: readonly number[],
  gram: Float32Array,
): Promise<SplitDesign> {
  const { rows, folds } = shared;
  const { values, width } = rows;
  const rowCount = values.length / width;
  const trained = folds.filter(({ start, end }, fold) => end > start && !excluded.includes(fold));
  const held = folds.filter((_, fold) => excluded.includes(fold));
  const places = placesOf(trained);
  const n = places.length;
  const change = changeScale(rows.scaler, scaler, shared.coded);
  const { shift, factor } = change;
  await rescaleGram(multiplier, shared, trained, change, gram);
  return {
    rowCount: n,
    width,
    applyGram: multiplyByGram(multiplier, gram, n),
    gram,
    async combine(duals) {
      const spread = duals.map((dual) => {
        const own = new Float64Array(rowCount);
        for (let i = 0; i < n; i++) own[places[i]!] = dual[i]!;
        return own;
      });
      const found = await combineFast(multiplier, values, rowCount, width, spread);
      found.forEach((own, a) => {
        const total = sum(duals[a]!);
        for (let j = 0; j < width; j++) own[j] = (own[j]! - shift[j]! * total) * factor[j]!;
      });
      return found;
    },
    async predictHeld(weights) {
      const scaled = weights.map((own) => {
        const each = new Float64Array(width);
        for (let j = 0; j < width; j++) each[j] = own[j]! * factor[j]!;
        return each;
      });
      const offsets = scaled.map((each) => dot(each, shift));
      const predictions = weights.map(() => new Float64Array(rowCount - n));
      let at = 0;
      for (const { start, end } of held) {
        const m = end - start;
        const products = await predictFast(multiplier, values.subarray(start * width), m, width, scaled);
        products.forEach((product, a) => {
          for (let i = 0; i < m; i++) predictions[a]![at + i] = product[i]! - offsets[a]!;
        });
        at += m;
      }
      return predictions;
    },
    exact: null,
    leading: shared.deflation === null ? null : restrictDeflation(shared.deflation, places),
  };
}

/**
 * Computes the Gram matrix K of the rows of some folds, each feature rescaled: the Gram matrix of all rows plus the effect
 * of the change of scales, Σ_j (factor_j² - 1) z_j z_j^T. The changes are a few percent, so they are multiplied in int8,
 * which is three times as fast; features that change a lot, or have peaks, are corrected in float32. Where that is not
 * accurate enough, K is computed from scratch.
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
  await addChanges(multiplier, { ...shared, coded: shared.coded }, trained, change, gram);
  if (corrected.length > 0) await correctGram(multiplier, shared.rows, scales, places, gram);
}

/** gram [n,n] <- the part of all rows' Gram matrix for some folds + Σ_j change_j z_j z_j^T, block by block. */
async function addChanges(
  { coded }: MatrixMultiplier,
  shared: SharedGram & { readonly coded: CodedFolds },
  trained: readonly FoldRows[],
  change: Float32Array,
  gram: Float32Array,
): Promise<void> {
  const { values, width } = shared.rows;
  const { rows: codedRows, codes, known, block, transposed } = shared.coded;
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
        known.set(shared.gram.subarray(from, from + columns), i * columns);
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

/** Rows of the Gram matrix that one product corrects. */
const ROWS_OF_A_BLOCK = 128;

/** gram [n,n] <- gram + Σ over corrected features of z' z'^T - z z^T, with z' the feature on the new scale. */
async function correctGram(
  multiplier: MatrixMultiplier,
  { values, width }: StandardisedRows,
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

/**
 * How features of a training set differ from those of all rows, (z - shift) · factor, and how the Gram matrix is updated
 * for it: in int8 as long as the changes are small and no row has a peak in them.
 */
interface ScaleChange {
  /** [d] 0 except for features that are corrected: the intercept absorbs the rest of the means. */
  readonly shift: Float64Array;
  /** [d] */
  readonly factor: Float64Array;
  /** Features to correct in float32. */
  readonly corrected: readonly number[];
  /** Whether int8 is accurate enough for the others; else the Gram matrix has to be computed from scratch. */
  readonly isSmall: boolean;
}

/** A change of a feature's variance, or of its mean, in units of all rows', that is corrected in float32. */
const LARGE_CHANGE = 0.2;
/** How many times the usual change the largest one in a row may be: it sets the steps of the row's codes. */
const LARGEST_PEAK = 12;
/** The usual change, root mean square; the relative error of the Gram matrix is a few hundredths of that. */
const USUAL_CHANGE = 0.04;
/** With a larger share of features to correct, computing the Gram matrix from scratch is faster. */
const SHARE_WORTH_CORRECTING = 1 / 8;

/** @param coded of the features that have codes; null if none has */
export function changeScale(
  from: Scaler,
  to: Scaler,
  coded: Pick<CodedFolds, "peaks" | "isCoded"> | null,
): ScaleChange {
  const shift = to.mean.map((mean, j) => (mean - from.mean[j]!) / from.scale[j]!);
  const factor = to.scale.map((scale, j) => from.scale[j]! / scale);
  const large: ScaleChange = { shift, factor, corrected: [], isSmall: false };
  if (coded === null) return large;
  const change = factor.map((each) => Math.abs(each * each - 1));
  const isSmall = coded.isCoded.map(
    (own, j) => own && change[j]! <= LARGE_CHANGE && Math.abs(shift[j]!) <= LARGE_CHANGE,
  );
  const squares = change.reduce((sum, each, j) => (isSmall[j] ? sum + each * each : sum), 0);
  const usual = Math.sqrt(squares / Math.max(isSmall.filter(Boolean).length, 1));
  const isPlain = isSmall.map((own, j) => own && change[j]! * coded.peaks[j]! <= LARGEST_PEAK * usual);
  const corrected = Array.from(isPlain.keys()).filter((j) => !isPlain[j]);
  if (usual > USUAL_CHANGE || corrected.length > SHARE_WORTH_CORRECTING * change.length) return large;
  return { shift: shift.map((own, j) => (isPlain[j] ? 0 : own)), factor, corrected, isSmall: true };
}
