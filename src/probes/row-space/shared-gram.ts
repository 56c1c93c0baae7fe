import type { RightRows } from "../products/coded-products.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { Scratch } from "../products/scratch.ts";
import type { StandardisedRows } from "../scaler.ts";
import { type Deflation, deflate, ROWS_WORTH_DEFLATING } from "./deflation.ts";
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
  readonly scratch: Scratch;
}

/** The places of a fold's rows. */
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
  scratch: Scratch,
): Promise<SharedGram> {
  const { values, width } = rows;
  const rowCount = values.length / width;
  const gram = scratch.take("K of all rows", rowCount * rowCount);
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
