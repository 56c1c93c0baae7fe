import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { auroc } from "../math/auroc.ts";
import { createRng } from "../math/rng.ts";
import { meanFoldAuroc, scoreOutOfFold } from "./cross-validate.ts";
import { createExactDesign } from "./design-matrix.ts";
import { fitLogistic } from "./fit-logistic.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "./matrix-multiplier.ts";
import { applyScaler, fitScaler } from "./scaler.ts";
import { type LayerScore, pickLayer, pickPenalty } from "./select-layer.ts";

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier();
});
afterAll(async () => {
  await multiplier[Symbol.asyncDispose]();
});

describe("MatrixMultiplier", () => {
  it("multiplies, with B as it is or transposed", async () => {
    const a = Float32Array.of(1, 2, 3, 4, 5, 6); // [2,3]
    const out = new Float32Array(4);
    await multiplier.multiply(a, Float32Array.of(1, 0, 0, 1, 1, 1), out, {
      m: 2,
      k: 3,
      n: 2,
      transposeB: false,
    });
    expect([...out]).toEqual([4, 5, 10, 11]);
    await multiplier.multiply(a, Float32Array.of(1, 0, 1, 0, 1, 1), out, {
      m: 2,
      k: 3,
      n: 2,
      transposeB: true,
    });
    expect([...out]).toEqual([4, 5, 10, 11]);
  });
});

describe("scoreOutOfFold", () => {
  const rng = createRng("oof");
  const n = 60;
  const labels = Uint8Array.from({ length: n }, () => rng.integer(2));
  const features = Float32Array.from(
    { length: n * 3 },
    (_, i) => labels[Math.floor(i / 3)]! * (i % 3) + rng.next(),
  );
  const folds = { foldOf: Array.from({ length: n }, (_, i) => i % 3), foldCount: 3 };

  it("scores each row by a probe that never saw its fold, standardised without it", async () => {
    const tasks = [{ labels, C: 0.1, classWeight: "none" as const }];
    const [scores] = await scoreOutOfFold(multiplier, features, 3, tasks, folds);
    const trained = Array.from({ length: n }, (_, i) => i).filter((row) => row % 3 !== 0);
    const scaler = fitScaler(features, 3, trained);
    const design = createExactDesign(applyScaler(scaler, features, trained), trained.length, 3);
    const [fit] = await fitLogistic(design, [{ ...tasks[0]!, labels: trained.map((row) => labels[row]!) }]);
    const first = applyScaler(scaler, features, [0]);
    const expected = fit!.coefficients.reduce((sum, w, j) => sum + w * first[j]!, fit!.intercept);
    // The sweep stops at a relative error of 1e-2 of coefficients of size about 1.
    expect(Math.abs(scores![0]! - expected)).toBeLessThan(0.02);
  });

  it("does not score a fold whose training rows have one class", async () => {
    const lonely = Uint8Array.from({ length: n }, (_, i) => (i % 3 === 0 && i < 30 ? 1 : 0)); // all in fold 0
    const [scores] = await scoreOutOfFold(
      multiplier,
      features,
      3,
      [{ labels: lonely, C: 1, classWeight: "none" }],
      folds,
    );
    expect(scores![0]).toBeNaN();
    expect(scores![1]).not.toBeNaN();
    expect(meanFoldAuroc(scores!, lonely, folds)).toBeNull();
  });

  it("averages the folds' own AUROCs", () => {
    const scores = [1, 2, 10, 20, 30, 4];
    const own = [0, 1, 1, 0, 0, 0];
    const pairs = { foldOf: [0, 0, 1, 1, 2, 2], foldCount: 3 };
    expect(meanFoldAuroc(scores, own, pairs)).toBe(0.5); // 1 and 0; the third has one class
    expect(auroc(scores, own)).not.toBe(0.5);
  });
});

describe("pickLayer and pickPenalty", () => {
  const score = (layer: number, area: number | null): LayerScore => ({
    position: "think-end",
    layer,
    row_count: 1,
    constant_features: 0,
    auroc: { incorrect: area, "high-semantic-entropy": null },
  });

  it("take the best, the earlier layer and the stronger penalty of equals, or none", () => {
    const scores = [score(0, null), score(1, 0.7), score(2, 0.8), score(3, 0.8)];
    expect(pickLayer(scores, "think-end", "incorrect")!.layer).toBe(2);
    expect(pickLayer(scores, "last-token", "incorrect")).toBeNull();
    expect(pickLayer(scores, "think-end", "high-semantic-entropy")).toBeNull();
    const penalties = [
      { C: 1, auroc: 0.9 },
      { C: 0.1, auroc: 0.9 },
      { C: 0.01, auroc: 0.8 },
    ];
    expect(pickPenalty(penalties)).toBe(0.1);
    expect(pickPenalty([{ C: 1, auroc: null }])).toBeNull();
  });
});
