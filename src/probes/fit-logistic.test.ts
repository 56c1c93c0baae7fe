import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashed } from "../../test/fakes/hashed.ts";
import { ortNode } from "../engine/runtime/ort-node.ts";
import { auroc } from "../math/auroc.ts";
import { dot } from "../math/vector.ts";
import { createExactDesign, createFastDesign } from "./design-matrix.ts";
import { type ClassWeight, fitLogistic, type LogisticFit } from "./fit-logistic.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "./products/matrix-multiplier.ts";
import { applyScaler, fitScaler } from "./scaler.ts";

interface GoldenCase {
  readonly n: number;
  readonly d: number;
  readonly C: number;
  readonly class_weight: ClassWeight;
  readonly positives: number;
  readonly coefficients: readonly number[];
  readonly intercept: number;
  readonly auroc: number;
}
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/logistic.json", import.meta.url), "utf8"),
) as { readonly cases: readonly GoldenCase[] };

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier(ortNode);
});
afterAll(async () => {
  await multiplier[Symbol.asyncDispose]();
});

describe.each(golden.cases)("fitLogistic, n=$n d=$d C=$C $class_weight", (known) => {
  const { n, d, C, class_weight: classWeight } = known;
  const { features, labels } = makeRows(n, d);

  it("finds scikit-learn's optimum with float64 products", async () => {
    const [fit] = await fitLogistic(createExactDesign(features, n, d), [{ labels, C, classWeight }]);
    expect(labels.filter((label) => label === 1).length).toBe(known.positives);
    expect(fit!.converged).toBe(true);
    // Ours stops at a gradient of 1e-7 relative; standardised features are rounded to float32 here (6e-8).
    expect(relativeDistance(fit!, known)).toBeLessThan(1e-6);
    expect(Math.abs(fit!.intercept - known.intercept)).toBeLessThan(1e-6);
    expect(Math.abs(auroc(predict(features, n, fit!), labels) - known.auroc)).toBeLessThan(1e-9); // counts of pairs
  });

  it("finds it with float32 products, beside another column", async () => {
    const design = createFastDesign(multiplier, features, n, d);
    const tasks = [
      { labels, C: 0.5, classWeight: "none" as const },
      { labels, C, classWeight },
    ];
    const [, fit] = await fitLogistic(design, tasks, { tolerance: 1e-4 });
    expect(fit!.converged).toBe(true);
    // The stopping rule bounds the relative error by 1e-4.
    expect(relativeDistance(fit!, known)).toBeLessThan(1e-4);
  });
});

describe("fitLogistic", () => {
  const { features, labels } = makeRows(120, 8);
  const design = createExactDesign(features, 120, 8);

  it("leaves only the intercept, at the log-odds, when no feature varies", async () => {
    const [fit] = await fitLogistic(createExactDesign(new Float32Array(20 * 3), 20, 3), [
      { labels: Array.from({ length: 20 }, (_, i) => (i < 5 ? 1 : 0)), C: 1, classWeight: "none" },
    ]);
    expect([...fit!.coefficients]).toEqual([0, 0, 0]);
    expect(fit!.intercept).toBeCloseTo(Math.log(5 / 15), 12);
  });

  it("mirrors its coefficients when the labels are swapped", async () => {
    const swapped = labels.map((label) => 1 - label);
    const [one, other] = await fitLogistic(design, [
      { labels, C: 1, classWeight: "none" },
      { labels: swapped, C: 1, classWeight: "none" },
    ]);
    one!.coefficients.forEach((value, j) => {
      expect(other!.coefficients[j]).toBeCloseTo(-value, 7); // both stop at 1e-8 of their own norm
    });
  });

  it("refuses one class, a wrong length and C <= 0", async () => {
    const task = { C: 1, classWeight: "none" as const };
    await expect(fitLogistic(design, [{ ...task, labels: new Uint8Array(120) }])).rejects.toMatchObject({
      code: "one-class",
    });
    await expect(fitLogistic(design, [{ ...task, labels: [0, 1] }])).rejects.toThrow("2 labels for 120 rows");
    await expect(fitLogistic(design, [{ ...task, labels, C: 0 }])).rejects.toThrow("C is 0");
  });
});

/** The arrays of test/golden/generate/logistic.py, standardised. */
function makeRows(n: number, d: number): { features: Float32Array; labels: number[] } {
  const raw = new Float32Array(n * d);
  const labels: number[] = [];
  for (let i = 0; i < n; i++) {
    const shared = hashed(i, 9999) - 0.5;
    for (let j = 0; j < d; j++) {
      const value = (1 + (j % 7)) * (hashed(i, j) - 0.5 + shared * ((j % 3) - 0.5)) + j;
      raw[i * d + j] = j === d - 1 ? 3.25 : value;
    }
    labels.push(hashed(i, 7777) + 0.9 * shared + 0.3 * (hashed(i, 0) - 0.5) > 0.62 ? 1 : 0);
  }
  const rows = Array.from({ length: n }, (_, i) => i);
  return { features: applyScaler(fitScaler(raw, d, rows), raw, rows), labels };
}

function relativeDistance(fit: LogisticFit, { coefficients }: GoldenCase): number {
  const difference = fit.coefficients.map((value, j) => value - coefficients[j]!);
  const known = Float64Array.from(coefficients);
  return Math.sqrt(dot(difference, difference) / dot(known, known));
}

function predict(features: Float32Array, n: number, { coefficients, intercept }: LogisticFit): Float64Array {
  const d = coefficients.length;
  return Float64Array.from({ length: n }, (_, i) => {
    const row = Float64Array.from(features.subarray(i * d, (i + 1) * d));
    return intercept + dot(row, coefficients);
  });
}
