import type { DesignMatrix } from "../design-matrix.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { Scaler } from "../scaler.ts";
import { restrictDeflation } from "./deflation.ts";
import { rescaleGram } from "./rescale-gram.ts";
import { changeScale } from "./scale-change.ts";
import { placesOf, type SharedGram } from "./shared-gram.ts";

/** The design of the rows trained on, with the means to score the others. */
export interface SplitDesign extends DesignMatrix {
  /** [k,n] about the leading duals, to start deflation from; null if it has to start from nothing. */
  readonly leading: Float32Array | null;
  /** @returns Z_held w [m] for each */
  predictHeld(weights: readonly Float64Array[]): Promise<Float64Array[]>;
}

/**
 * A design of all folds but some, each feature standardised over the rows trained on, made from what all splits share.
 * @param scaler   of the rows trained on
 * @param excluded folds that are held out
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
    applyGram: (vectors, count, out) =>
      multiplier.multiply(gram, vectors, out, { m: n, k: n, n: count, transposeB: true }),
    async combine(duals) {
      const spread = new Float32Array(duals.length * rowCount);
      const sums = duals.map((dual, a) => {
        let from = 0;
        for (const { start, end } of trained) {
          spread.set(dual.subarray(from, from + end - start), a * rowCount + start);
          from += end - start;
        }
        return dual.reduce((sum, each) => sum + each, 0);
      });
      const found = new Float32Array(duals.length * width);
      const shape = { m: duals.length, k: rowCount, n: width, transposeB: false };
      await multiplier.multiply(spread, values, found, shape);
      return sums.map((sum, a) => {
        const own = new Float64Array(width);
        for (let j = 0; j < width; j++) own[j] = (found[a * width + j]! - shift[j]! * sum) * factor[j]!;
        return own;
      });
    },
    async predictHeld(weights) {
      const count = weights.length;
      const scaled = new Float32Array(count * width);
      const offsets = weights.map((own, a) => {
        let offset = 0;
        for (let j = 0; j < width; j++) {
          const weight = own[j]! * factor[j]!;
          scaled[a * width + j] = weight;
          offset += weight * shift[j]!;
        }
        return offset;
      });
      const predictions = weights.map(() => new Float64Array(rowCount - n));
      let at = 0;
      for (const { start, end } of held) {
        const m = end - start;
        const found = new Float32Array(m * count);
        const shape = { m, k: width, n: count, transposeB: true };
        await multiplier.multiply(values.subarray(start * width), scaled, found, shape);
        for (let i = 0; i < m; i++, at++) {
          for (let a = 0; a < count; a++) predictions[a]![at] = found[i * count + a]! - offsets[a]!;
        }
      }
      return predictions;
    },
    exact: null,
    leading: shared.deflation === null ? null : restrictDeflation(shared.deflation, places),
  };
}
