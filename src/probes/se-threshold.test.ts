import { describe, expect, it } from "vitest";
import { chooseSeThreshold } from "./se-threshold.ts";

describe("chooseSeThreshold", () => {
  it("best-split puts the threshold between two clumps", () => {
    const { threshold, low_count, high_count, tied_candidates, warnings } = chooseSeThreshold([
      0, 0.1, 0.2, 1.5, 1.6, 1.7,
    ]);
    // Every grid point from 0.2 to below 1.5 gives the same two groups; the first of the 100 is 12/99 of 1.7.
    expect(threshold).toBeCloseTo((1.7 * 12) / 99, 9); // 1e-10 is the grid's start
    expect([low_count, high_count]).toEqual([3, 3]);
    expect(tied_candidates).toBe(76); // grid indices 12 to 87: 87/99 of 1.7 is 1.494, 88/99 is 1.511
    expect(warnings).toEqual([]);
  });

  it("best-split minimises the two groups' sums of squares over its grid", () => {
    const entropies = [0, 0, 0, 0.33, 0.5, 0.69, 0.69, 0.9, 1.05, 1.6];
    const chosen = chooseSeThreshold(entropies);
    const squares = (threshold: number): number =>
      [entropies.filter((e) => e <= threshold), entropies.filter((e) => e > threshold)]
        .map((group) => {
          const mean = group.reduce((sum, e) => sum + e, 0) / group.length;
          return group.reduce((sum, e) => sum + (e - mean) ** 2, 0);
        })
        .reduce((sum, part) => sum + part, 0);
    for (let i = 0; i < 99; i++) {
      expect(squares(chosen.threshold)).toBeLessThanOrEqual(squares(1e-10 + (1.6 * i) / 99) + 1e-12); // rounding
    }
  });

  it("median, even and a given threshold", () => {
    expect(chooseSeThreshold([0, 1, 2, 5], { method: "median" }).threshold).toBe(1.5);
    const even = chooseSeThreshold([0, 0.1, 0.2, 3], { method: "even" });
    expect([even.low_count, even.high_count]).toEqual([2, 2]);
    const given = chooseSeThreshold([0, 1, 2], { method: 0.5 });
    expect(given).toMatchObject({ method: "given", threshold: 0.5, low_count: 1, high_count: 2 });
  });

  it("reports a threshold of zero, and one class", () => {
    const agreeing = chooseSeThreshold([0, 0, 0]);
    expect(agreeing.threshold).toBe(0);
    expect(agreeing.warnings.map(({ code }) => code)).toEqual(["se-threshold-zero", "se-one-class"]);
    const mostly = chooseSeThreshold([0, 0, 0, 0.7], { method: "median" });
    expect(mostly).toMatchObject({ threshold: 0, low_count: 3, high_count: 1 });
    expect(mostly.warnings.map(({ code }) => code)).toEqual(["se-threshold-zero"]);
    expect(() => chooseSeThreshold([])).toThrow(/no training question/);
  });
});
