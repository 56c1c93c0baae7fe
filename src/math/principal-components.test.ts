import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { principalComponents } from "./principal-components.ts";
import { createRng } from "./rng.ts";

interface Case {
  readonly X: readonly (readonly number[])[];
  readonly scores: readonly (readonly number[])[];
  readonly shares: readonly number[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("../../test/golden/principal-components.json", import.meta.url), "utf8"),
) as { cases: Record<string, Case> };

describe("principalComponents", () => {
  it.each(Object.entries(cases))("agrees with scikit-learn: %s", (_, { X, scores, shares }) => {
    const found = principalComponents(X.flat(), X[0]?.length ?? 0, 2);
    // float64 rounding, and what 12 turns leave between directions whose variances are within 8%
    const scale = Math.max(...scores.flat().map(Math.abs));
    scores.forEach((row, k) => {
      row.forEach((score, i) => {
        expect(Math.abs((found.scores[k]?.[i] as number) - score)).toBeLessThan(1e-9 * scale);
      });
    });
    shares.forEach((share, k) => {
      expect(found.varianceShares[k]).toBeCloseTo(share, 10);
    });
  });

  it("finds two planted directions among many columns", () => {
    const rng = createRng("planted");
    const [n, width] = [200, 300];
    const normal = (): number => rng.next() + rng.next() + rng.next() + rng.next() - 2;
    const planted = Array.from({ length: n }, () => [40 * normal(), 15 * normal()] as const);
    const points = planted.flatMap(([a, b]) =>
      Array.from({ length: width }, (_, d) => (d === 7 ? a : d === 123 ? b : 0) + normal()),
    );
    const { scores } = principalComponents(points, width, 2);
    for (const k of [0, 1] as const)
      expect(
        Math.abs(
          correlation(
            scores[k]!,
            planted.map((row) => row[k]),
          ),
        ),
      ).toBeGreaterThan(0.98);
  });

  it("refuses what has no two components, and numbers that are none", () => {
    expect(() => principalComponents([1, 2], 2, 2)).toThrow("Got 1 points of 2 columns");
    expect(() => principalComponents([1, 2, Number.NaN, 4], 2, 2)).toThrow("not finite");
  });
});

function correlation(a: ArrayLike<number>, b: readonly number[]): number {
  const mean = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((x, y) => x + y, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const sum = (f: (x: number, y: number) => number): number =>
    b.reduce((total, y, i) => total + f((a[i] as number) - meanA, y - meanB), 0);
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
}
