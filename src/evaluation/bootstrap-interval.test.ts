import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { bcaInterval, bootstrapInterval, type ConfidenceInterval } from "./bootstrap-interval.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/rank-statistics.json", import.meta.url), "utf8"),
) as {
  readonly bca: {
    readonly sample: readonly number[];
    readonly replicates: readonly number[];
    readonly intervals: readonly ConfidenceInterval[];
  };
};

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe("bcaInterval", () => {
  it("agrees with scipy on the same resamples", () => {
    const { sample, replicates, intervals } = golden.bca;
    const leftOut = sample.map((_, i) => average(sample.filter((_value, other) => other !== i)));
    for (const { level, low, high } of intervals) {
      const own = bcaInterval(average(sample), replicates, leftOut, level);
      expect(own.low).toBeCloseTo(low, 9); // the normal quantile is good to 1e-9
      expect(own.high).toBeCloseTo(high, 9);
    }
  });

  it("is a point when every resample is", () => {
    expect(bcaInterval(1, [1, 1, 1], [1, 1], 0.95)).toEqual({ level: 0.95, low: 1, high: 1 });
  });
});

describe("bootstrapInterval", () => {
  it("resamples questions whole", () => {
    const questionIds = ["a", "a", "b", "c", "c", "c"];
    bootstrapInterval(
      questionIds,
      (weights) => {
        expect(weights[0]).toBe(weights[1]);
        expect(new Set(weights.subarray(3)).size).toBe(1);
        return weights[0]!;
      },
      { resamples: 50 },
    );
  });

  it("covers the mean about as often as it says", () => {
    let covered = 0;
    const trials = 200;
    for (let trial = 0; trial < trials; trial++) {
      const rng = createRng("coverage", trial);
      const values = Array.from({ length: 25 }, () => rng.next());
      const questions = values.map((_, i) => String(i));
      const { intervals } = bootstrapInterval(
        questions,
        (weights) => weights.reduce((sum, weight, i) => sum + weight * values[i]!, 0) / 25,
        { resamples: 200, levels: [0.9], seed: trial },
      );
      if (intervals[0]!.low <= 0.5 && intervals[0]!.high >= 0.5) covered++;
    }
    // 0.9 minus about 0.02 for the small sample, +- three standard errors of 0.021
    expect(covered / trials).toBeGreaterThan(0.81);
    expect(covered / trials).toBeLessThan(0.96);
  });

  it("is wider by question than by row when rows repeat their question", () => {
    const values = [0, 0, 0, 0, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5];
    const statistic = (weights: Float64Array): number =>
      weights.reduce((sum, weight, i) => sum + weight * values[i]!, 0) / weights.reduce((a, b) => a + b, 0);
    const width = (ids: readonly string[]): number => {
      const interval = bootstrapInterval(ids, statistic, { levels: [0.9] }).intervals[0]!;
      return interval.high - interval.low;
    };
    const byQuestion = width(values.map((_, i) => `q${Math.floor(i / 4)}`));
    expect(byQuestion).toBeGreaterThan(1.5 * width(values.map((_, i) => `row${i}`)));
  });

  it("is the same for the same seed and reports resamples without a number", () => {
    const ids = ["a", "b"];
    const only = (weights: Float64Array): number => (weights[0] === 0 ? Number.NaN : weights[0]!);
    const result = bootstrapInterval(ids, only, { resamples: 400 });
    expect(bootstrapInterval(ids, only, { resamples: 400 })).toEqual(result);
    // "b" is drawn twice a quarter of the time: 100 +- three standard errors of 8.7
    expect(result.failed_resamples).toBeGreaterThan(73);
    expect(result.failed_resamples).toBeLessThan(127);
    expect(
      bootstrapInterval(ids, (weights) => (weights[0] === 1 && weights[1] === 1 ? 1 : Number.NaN)).intervals,
    ).toEqual([]);
    expect(() => bootstrapInterval([], () => 1)).toThrow(/no rows/);
    expect(() => bootstrapInterval(ids, () => Number.NaN)).toThrow(/not a number/);
  });
});
