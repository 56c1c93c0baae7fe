import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { normalCdf, normalQuantile } from "./distributions.ts";
import { logistic } from "./logistic.ts";
import { median, quantile } from "./quantile.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/rank-statistics.json", import.meta.url), "utf8"),
) as {
  readonly normal: Readonly<Record<"points" | "cdf" | "probabilities" | "quantiles", readonly number[]>>;
  readonly quantiles: Readonly<Record<"values" | "probabilities" | "expected", readonly number[]>>;
};

describe("normalCdf and normalQuantile", () => {
  it("agree with scipy", () => {
    const { points, cdf, probabilities, quantiles } = golden.normal;
    // Series and fraction lose about ten bits to the exponential's argument far out in the tail.
    points.forEach((point, i) => {
      expect(Math.abs(normalCdf(point) / cdf[i]! - 1)).toBeLessThan(1e-12);
    });
    // One Halley step from 1e-9 leaves rounding; 1 - 1e-12 itself carries 1e-4 of its distance from 1.
    probabilities.forEach((probability, i) => {
      expect(Math.abs(normalQuantile(probability) - quantiles[i]!)).toBeLessThan(1e-9);
    });
  });

  it("reaches its ends and refuses what is no probability", () => {
    expect(normalCdf(Number.NEGATIVE_INFINITY)).toBe(0);
    expect(normalCdf(Number.POSITIVE_INFINITY)).toBe(1);
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    expect(() => normalQuantile(1.1)).toThrow(/1.1 is outside/);
    expect(normalCdf(Number.NaN)).toBeNaN();
  });
});

describe("quantile", () => {
  it("agrees with numpy", () => {
    const { values, probabilities, expected } = golden.quantiles;
    probabilities.forEach((probability, i) => {
      expect(quantile(values, probability)).toBeCloseTo(expected[i]!, 12); // one rounding of the interpolation
    });
  });

  it("interpolates, and leaves its input as it is", () => {
    const values = [3, 1, 2, 10];
    expect(median(values)).toBe(2.5);
    expect(quantile(values, 1)).toBe(10);
    expect(values).toEqual([3, 1, 2, 10]);
    expect(() => quantile([], 0.5)).toThrow(/0 values/);
    expect(() => quantile([1, Number.NaN], 0.5)).toThrow(/NaN/);
    expect(() => quantile([1], -0.1)).toThrow(/outside/);
  });
});

describe("logistic", () => {
  it("does not overflow", () => {
    expect(logistic(0)).toBe(0.5);
    expect(logistic(-1000)).toBe(0);
    expect(logistic(1000)).toBe(1);
    expect(logistic(-2)).toBeCloseTo(1 - logistic(2), 15); // one rounding
  });
});
