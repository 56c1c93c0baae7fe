import { dot, sum } from "../../math/vector.ts";
import { combineFast, type DesignMatrix, predictFast } from "../design-matrix.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { Scaler } from "../scaler.ts";
import { restrictDeflation } from "./deflation.ts";
import { multiplyByGram } from "./gram-design.ts";
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
