import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashed } from "../../../test/fakes/hashed.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { dot } from "../../math/vector.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { standardiseRows } from "../scaler.ts";
import { deflate } from "./deflation.ts";
import { createIterativeDesign } from "./gram-design.ts";
import { createDeflatedPasses } from "./passes.ts";
import { solveRegressions } from "./solve.ts";

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier(ortNode);
});
afterAll(async () => {
  await multiplier[Symbol.asyncDispose]();
});

/** Three rows a question, a fifth of the features with heavy tails, some with one row far out; labels of chance. */
function makeHardRows(n: number, d: number, seed: number) {
  const features = new Float32Array(n * d);
  for (let i = 0; i < n; i++) {
    const question = seed + Math.floor(i / 3);
    for (let j = 0; j < d; j++) {
      const scale = (j + 1) ** -0.3;
      const shared = hashed(question, j) + hashed(question, j + 5000) - 1;
      const value = scale * (shared + 0.1 * (hashed(seed + i, j + 9000) - 0.5));
      const at = i * d + j;
      features[at] = j % 5 === 0 ? Math.sinh((8 * value) / scale) : value + 0.3 * features[at - 1]!;
    }
  }
  for (let o = 0; o < 12; o++) features[((o * 29) % n) * d + o * 17] = 1000;
  const outcomes = Array.from({ length: n }, (_, i) => (hashed(seed + i, 7777) > 0.5 ? 1 : 0));
  return { features, outcomes };
}

describe("solveRegressions", () => {
  it.each([0, 30000, 40000])(
    "goes on to the optimum where gradients grow on the way, rows of %i",
    async (seed) => {
      const [n, d] = [400, 450];
      const { features, outcomes } = makeHardRows(n, d, seed);
      const { values } = standardiseRows(features, d);
      const design = await createIterativeDesign(multiplier, values, n, d);
      const space = (await deflate(multiplier, design))!;
      await using passes = await createDeflatedPasses(multiplier, design, space);
      const tasks = [1, 100, 1000].map((C) => ({
        loss: "logistic" as const,
        outcomes,
        costs: new Float64Array(n).fill(C),
      }));
      const found = await solveRegressions(design, tasks, { tolerance: 1e-2, passes });
      expect(found.every(({ converged }) => converged)).toBe(true);
      const nearer = await solveRegressions(design, tasks.slice(0, 2), { tolerance: 1e-3, passes });
      for (const [task, known] of nearer.entries()) {
        const off = found[task]!.weights.map((weight, j) => weight - known.weights[j]!);
        // What a sweep stops by, the size of its last step, is an estimate.
        expect(Math.sqrt(dot(off, off) / dot(known.weights, known.weights))).toBeLessThan(0.1);
      }
    },
  );
});
