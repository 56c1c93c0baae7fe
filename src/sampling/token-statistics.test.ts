import { describe, expect, it } from "vitest";
import { tokenStatistics } from "./token-statistics.ts";

describe("tokenStatistics", () => {
  it("is ln V for equal logits, whatever their size", () => {
    for (const level of [0, 500, -1e6]) {
      const { logprob, entropy } = tokenStatistics(new Float32Array(8).fill(level), 3);
      expect(entropy).toBeCloseTo(Math.log(8), 12);
      expect(logprob).toBeCloseTo(-Math.log(8), 12);
    }
  });

  it("matches a hand-worked distribution of 1/2, 1/4, 1/4", () => {
    const logits = Float32Array.from([Math.log(2), 0, 0]);
    const { logprob, entropy } = tokenStatistics(logits, 0);
    // ln 2 is rounded to float32 on its way in
    expect(logprob).toBeCloseTo(-Math.log(2), 6);
    expect(entropy).toBeCloseTo(1.5 * Math.log(2), 6);
  });

  it("is never negative where one token has all the probability", () => {
    const { entropy, logprob } = tokenStatistics(Float32Array.from([90, 0, 0, 0]), 0);
    expect(entropy).toBeGreaterThanOrEqual(0);
    expect(logprob).toBeLessThanOrEqual(0);
  });
});
