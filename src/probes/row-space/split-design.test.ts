import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeHashedRows } from "../../../test/fakes/hashed-rows.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { createScratch } from "../products/scratch.ts";
import { applyScaler, fitScaler, standardiseRows } from "../scaler.ts";
import { computeGram, placesOf, shareGram } from "./gram-design.ts";
import { changeScale, rescaleGram } from "./split-design.ts";

const ROWS = 1000; // from here on, training sets' K are made in eight bits
const WIDTH = 300;
const FOLDS = [0, 190, 405, 405, 700, ROWS].flatMap((start, fold, starts) =>
  fold + 1 < starts.length ? [{ start, end: starts[fold + 1]! }] : [],
);

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier(ortNode);
});
afterAll(async () => {
  await multiplier[Symbol.asyncDispose]();
});

/** K of all folds but some, both ways, each centred: the intercept takes up what an uncentred one has besides. */
async function compare(features: Float32Array, excluded: readonly number[]) {
  const rows = standardiseRows(features, WIDTH);
  const shared = await shareGram(multiplier, rows, FOLDS, createScratch());
  const trained = FOLDS.filter(({ start, end }, fold) => end > start && !excluded.includes(fold));
  const places = placesOf(trained);
  const n = places.length;
  const scaler = fitScaler(features, WIDTH, places);
  const change = changeScale(rows.scaler, scaler, shared.coded);
  const found = new Float32Array(n * n);
  await rescaleGram(multiplier, shared, trained, change, found);
  const known = new Float32Array(n * n);
  await computeGram(multiplier, applyScaler(scaler, features, places), n, WIDTH, known);
  const [a, b] = [centre(found, n), centre(known, n)];
  const squares = a.reduce((sum, value, at) => sum + (value - b[at]!) ** 2, 0);
  const symmetric = found.every((value, at) => value === found[(at % n) * n + Math.floor(at / n)]);
  return { change, symmetric, error: Math.sqrt(squares / n ** 2) / WIDTH };
}

function centre(gram: Float32Array, n: number): Float64Array {
  const means = Float64Array.from({ length: n }, (_, i) => mean(gram.subarray(i * n, (i + 1) * n)));
  const all = mean(means);
  return Float64Array.from(gram, (value, at) => value - means[at % n]! - means[Math.floor(at / n)]! + all);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

describe("rescaleGram", () => {
  const { features } = makeHashedRows(ROWS, WIDTH);
  const changeOf = (change: (value: number, row: number, feature: number) => number) =>
    features.map((value, at) => change(value, Math.floor(at / WIDTH), at % WIDTH));

  it.each([[[0]], [[1]], [[4]], [[0, 3]], [[2]]])(
    "is the Gram matrix of folds without %j, about",
    async (excluded) => {
      const { change, symmetric, error } = await compare(features, excluded);
      expect(change.isSmall).toBe(true);
      expect(symmetric).toBe(true);
      // K's diagonal is about d; what the scales change is hundredths of that, and told to hundredths
      expect(error).toBeLessThan(2e-4);
    },
  );

  it("corrects features that have a peak, change much or are constant in the training rows", async () => {
    const odd = changeOf((value, row, feature) => {
      if (feature === 3) return row === 500 ? 1e4 : value;
      if (feature === 50) return row < 190 ? 30 * value : value;
      if (feature === 120) return row < 190 ? value : 7;
      return value;
    });
    const { change, symmetric, error } = await compare(odd, [0]);
    expect(change.isSmall).toBe(true);
    expect(change.corrected).toEqual(expect.arrayContaining([3, 50, 120]));
    expect(change.corrected.length).toBeLessThan(WIDTH / 8);
    expect(symmetric).toBe(true);
    expect(error).toBeLessThan(2e-4);
  });

  it("computes the Gram matrix from scratch where the folds differ too much", async () => {
    const { change, error } = await compare(
      changeOf((value, row, feature) => (row < 190 ? value * (1 + (feature % 5)) : value)),
      [0],
    );
    expect(change.isSmall).toBe(false);
    expect(error).toBeLessThan(1e-5);
  });
});
