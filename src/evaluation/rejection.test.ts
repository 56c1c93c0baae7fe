import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { brierScore, expectedCalibrationError } from "./evaluate-calibration.ts";
import { chooseAnswerThreshold } from "./evaluate-decision.ts";
import { accuracyAtCoverage, predictionRejectionRatio } from "./rejection.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/rank-statistics.json", import.meta.url), "utf8"),
) as {
  readonly rankings: readonly {
    readonly untied_scores: readonly number[];
    readonly labels: readonly number[];
    readonly probabilities: readonly number[];
    readonly prr: number;
    readonly brier: number;
  }[];
};

describe.each(golden.rankings)("against Python, $labels.length rows", (known) => {
  it("prediction-rejection ratio and Brier score", () => {
    // Sums in another order.
    expect(predictionRejectionRatio(known.untied_scores, known.labels)).toBeCloseTo(known.prr, 12);
    expect(brierScore(known.probabilities, known.labels)).toBeCloseTo(known.brier, 12);
  });
});

describe("predictionRejectionRatio", () => {
  it("is 1 for the oracle, 0 for ties, negative for the reverse, NaN for one class", () => {
    const wrong = [0, 0, 1, 1, 0];
    expect(predictionRejectionRatio(wrong, wrong)).toBe(1);
    expect(predictionRejectionRatio([1, 1, 1, 1, 1], wrong)).toBeCloseTo(0, 12); // sums of fifths
    expect(
      predictionRejectionRatio(
        wrong.map((value) => -value),
        wrong,
      ),
    ).toBeLessThan(0);
    expect(predictionRejectionRatio([1, 2], [0, 0])).toBeNaN();
  });
});

describe("accuracyAtCoverage", () => {
  it("answers the least uncertain, ties by their mean", () => {
    const uncertainty = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
    const wrong = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1];
    expect(accuracyAtCoverage(uncertainty, wrong, 0.7)).toBe(1);
    expect(accuracyAtCoverage(uncertainty, wrong, 0.8)).toBe(7 / 8);
    expect(accuracyAtCoverage(uncertainty, wrong, 0.9)).toBe(7 / 9); // nine rows, not ten by rounding
    expect(accuracyAtCoverage([1, 1, 1, 1], [0, 1, 0, 1], 0.5)).toBe(0.5);
    expect(() => accuracyAtCoverage([1], [0], 0)).toThrow(/outside/);
  });
});

describe("expectedCalibrationError", () => {
  it("weighs each bin's gap by its rows", () => {
    // bin 0.9..1: mean 0.95, half right, gap 0.45; bin 0..0.1: mean 0, gap 0
    expect(expectedCalibrationError([0.95, 0.95, 0, 0], [1, 0, 0, 0])).toBeCloseTo(0.225, 12); // decimal rounding
    expect(expectedCalibrationError([1, 0], [1, 0])).toBe(0);
    expect(() => expectedCalibrationError([1.2], [1])).toThrow(/1.2, outside/);
    expect(() => brierScore([], [])).toThrow(/0 probabilities/);
  });
});

describe("chooseAnswerThreshold", () => {
  it("cuts midway between the scores that Youden's J separates, on the scale of P(correct)", () => {
    const chosen = chooseAnswerThreshold([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1]);
    expect(chosen!.tau).toBeCloseTo(0.6, 12); // 1 - (0.2 + 0.6) / 2
    expect(chosen!.youden).toBe(1);
  });

  it("has none where no cut is better than chance", () => {
    expect(chooseAnswerThreshold([0.5, 0.5], [0, 1])).toBeNull();
    expect(chooseAnswerThreshold([0.9, 0.1], [0, 1])).toBeNull();
  });
});
