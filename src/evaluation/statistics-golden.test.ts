import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { aurocComponents } from "../math/auroc.ts";
import { studentCdf, studentQuantile } from "../math/distributions.ts";
import { isotonicRegression } from "../math/isotonic-regression.ts";
import { fitPlattScaling, logit } from "../math/logistic.ts";
import { applyCalibration, fitCalibration } from "../probes/calibration.ts";
import { chooseDecisionThreshold } from "../probes/choose-decision-threshold.ts";
import { holmCorrect, pairedTest } from "./compare-scores.ts";
import { evaluatePower } from "./detectable-auroc.ts";
import { brierScore, expectedCalibrationError, reliabilityBins } from "./evaluate-calibration.ts";
import { CURVE_GRID, evaluateCurves } from "./score-curves.ts";

type Numbers = readonly number[];

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/statistics.json", import.meta.url), "utf8"),
) as {
  readonly calibrations: readonly {
    readonly scores: Numbers;
    readonly labels: Numbers;
    readonly platt: readonly [number, number];
    readonly sklearn_platt: readonly [number, number];
    readonly isotonic_x: Numbers;
    readonly isotonic_y: Numbers;
    readonly isotonic_at: Numbers;
    readonly bins_true: Numbers;
    readonly bins_predicted: Numbers;
    readonly ece: number;
    readonly brier: number;
  }[];
  readonly curves: readonly {
    readonly scores: Numbers;
    readonly labels: Numbers;
    readonly roc: Numbers;
    readonly precision_recall: Numbers;
    readonly risk_coverage: Numbers;
  }[];
  readonly student: {
    readonly degrees: Numbers;
    readonly probabilities: Numbers;
    readonly quantiles: readonly Numbers[];
  };
  readonly paired: {
    readonly questions: readonly string[];
    readonly labels: Numbers;
    readonly first: Numbers;
    readonly second: Numbers;
    readonly difference: number;
    readonly influences: Numbers;
    readonly p_value: number;
  };
  readonly holm: { readonly raw: Numbers; readonly corrected: Numbers };
  readonly icc: number;
  readonly conformal: {
    readonly scores: Numbers;
    readonly thresholds: readonly { readonly coverage: number; readonly threshold: number }[];
  };
};

// Sums of a few hundred float64 terms in another order.
const ROUNDING_DIGITS = 12;

function expectClose(own: ArrayLike<number>, known: Numbers, digits = ROUNDING_DIGITS): void {
  expect(own).toHaveLength(known.length);
  known.forEach((value, i) => {
    expect(own[i]).toBeCloseTo(value, digits);
  });
}

describe.each(golden.calibrations)("calibration against scikit-learn, $scores.length rows", (known) => {
  const { scores, labels } = known;

  it("Platt", () => {
    const { slope, offset } = fitPlattScaling(scores.map(logit), labels);
    expectClose([slope, offset], known.platt, 8); // ours stops where the loss no longer changes: the root of rounding
    expectClose([slope, offset], known.sklearn_platt, 6); // scikit-learn's L-BFGS stops sooner
  });

  it("isotonic, with and without ties", () => {
    const fit = isotonicRegression(scores, labels);
    expectClose(fit.x, known.isotonic_x);
    expectClose(fit.y, known.isotonic_y);
    const map = fitCalibration(scores, labels, "isotonic")!;
    expectClose(
      CURVE_GRID.map((score) => applyCalibration(map, score)),
      known.isotonic_at,
    );
  });

  it("reliability bins, ECE and Brier score", () => {
    const bins = reliabilityBins(scores, labels);
    expectClose(
      bins.map((bin) => bin.positive_share),
      known.bins_true,
    );
    expectClose(
      bins.map((bin) => bin.mean_probability),
      known.bins_predicted,
      8, // they were moved by 1e-9 off the borders
    );
    expect(expectedCalibrationError(scores, labels)).toBeCloseTo(known.ece, ROUNDING_DIGITS);
    expect(brierScore(scores, labels)).toBeCloseTo(known.brier, ROUNDING_DIGITS);
  });
});

describe.each(golden.curves)("curves against scikit-learn, $scores.length rows", (known) => {
  it("ROC, precision-recall and risk-coverage on the grid", () => {
    const questions = known.scores.map((_, i) => `q${i}`);
    const curves = evaluateCurves(Float64Array.from(known.scores), Uint8Array.from(known.labels), questions, {
      resamples: 40,
    })!;
    for (const name of ["roc", "precision_recall", "risk_coverage"] as const) {
      const { y, low, high } = curves[name];
      expectClose(y, known[name], 5); // stored to six digits
      expect([low.length, high.length]).toEqual([51, 51]);
      low.forEach((value, i) => {
        expect(value).toBeLessThanOrEqual(high[i]!);
      });
    }
  });
});

it("Student's t agrees with scipy", () => {
  const { degrees, probabilities, quantiles } = golden.student;
  degrees.forEach((degree, d) => {
    probabilities.forEach((probability, i) => {
      const known = quantiles[d]![i]!;
      expect(Math.abs(studentQuantile(probability, degree) / known - 1)).toBeLessThan(1e-9); // scipy's own precision
      expect(studentCdf(-known, degree)).toBeCloseTo(1 - probability, 10);
    });
  });
  expect(() => studentCdf(1, 0)).toThrow(/0 degrees/);
  expect(() => studentQuantile(1, 3)).toThrow(/outside/);
});

describe("pairedTest", () => {
  const { questions, labels, first, second, difference, influences, p_value } = golden.paired;

  it("takes the AUROC apart as pairwise comparison does", () => {
    expectClose(aurocComponents(first, labels).influences, influences);
  });

  it("approaches the exact p-value of scipy's sign flips", () => {
    const result = pairedTest(first, second, labels, questions, { permutations: 20_000, resamples: 50 });
    expect(result.auc_difference.estimate).toBeCloseTo(difference, ROUNDING_DIGITS);
    expect(Math.abs(result.p_value! - p_value)).toBeLessThan(0.0065); // three standard errors of 20,000 draws
  });
});

it("Holm's correction", () => {
  expectClose(holmCorrect(golden.holm.raw) as number[], golden.holm.corrected);
  expect(holmCorrect([null, 0.02, null, 0.5])).toEqual([null, 0.04, null, 0.5]);
});

it("the labels' correlation is analysis of variance's", () => {
  const { labels, questions } = golden.paired;
  expect(evaluatePower(labels, questions)!.label_correlation).toBeCloseTo(golden.icc, ROUNDING_DIGITS);
});

it("with one answer a question, coverage is split conformal prediction's quantile", () => {
  const { scores, thresholds } = golden.conformal;
  const questions = scores.map((_, i) => `q${i}`);
  for (const { coverage, threshold } of thresholds) {
    const choice = chooseDecisionThreshold(scores, new Uint8Array(scores.length), questions, {
      kind: "coverage",
      target: coverage,
    });
    expect(choice.threshold!.threshold).toBe(threshold);
  }
});
