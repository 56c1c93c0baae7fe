import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashed } from "../../../test/fakes/hashed.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { createMatrixMultiplier, type MatrixMultiplier, packPass } from "./matrix-multiplier.ts";

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier(ortNode);
});
afterAll(async () => {
  await multiplier[Symbol.asyncDispose]();
});

const makeMatrix = (size: number, seed: number): Float32Array =>
  Float32Array.from({ length: size }, (_, at) => hashed(at, seed) - 0.5);

/** [m,k] [k,n] in float64 */
function multiply(a: ArrayLike<number>, b: ArrayLike<number>, m: number, k: number, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let q = 0; q < k; q++) {
      for (let j = 0; j < n; j++) out[i * n + j]! += a[i * k + q]! * b[q * n + j]!;
    }
  }
  return out;
}

function expectClose(found: Float32Array, known: Float64Array): void {
  const worst = known.reduce((most, value, at) => Math.max(most, Math.abs(value - found[at]!)), 0);
  expect(worst).toBeLessThan(2e-4);
}

describe("packPass", () => {
  // 1100 rows are cut into parts of unequal height, 30 stay in one
  it.each([
    [1100, true],
    [30, true],
    [30, false],
  ])("multiplies by K of %i rows (%o), then filters the images", async (n, hasK) => {
    const k = 5;
    const w = 2 * n;
    const K = makeMatrix(n * n + 7, 1); // longer than it needs to be
    const P = makeMatrix(n * k, 2);
    const Q = makeMatrix(k * w, 3);
    await using pass = await packPass(multiplier, { K: hasK ? K : null, P, Q }, { n, k });
    for (const count of [1, 3]) {
      const x = makeMatrix(count * n, 4 + count);
      const factors = makeMatrix(count * k, 5 + count);
      const images = hasK ? new Float32Array(count * n) : x;
      const inside = new Float32Array(count * k);
      const out = new Float32Array(count * w);
      await pass.run({ count, x, factors, images, inside, out });
      const knownImages = hasK ? multiply(x, K, count, n, n) : Float64Array.from(x);
      const knownInside = multiply(knownImages, P, count, n, k);
      expectClose(images, knownImages);
      expectClose(inside, knownInside);
      const scaled = knownInside.map((value, at) => value * factors[at]!);
      expectClose(out, multiply(scaled, Q, count, k, w));
    }
  });
});
