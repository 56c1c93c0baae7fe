import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auroc, rankedAuroc, rankScores } from "./auroc.ts";
import { averagePrecision, rankedAveragePrecision, rocCurve } from "./roc-curve.ts";

interface Ranking {
  readonly scores: readonly number[];
  readonly labels: readonly number[];
  readonly weights: readonly number[];
  readonly auroc: number;
  readonly weighted_auroc: number;
  readonly average_precision: number;
  readonly weighted_average_precision: number;
  readonly fpr: readonly number[];
  readonly tpr: readonly number[];
  readonly thresholds: readonly number[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/rank-statistics.json", import.meta.url), "utf8"),
) as { readonly rankings: readonly Ranking[] };

// Sums of a few hundred float64 terms in another order than scikit-learn's.
const ROUNDING_DIGITS = 12;

describe.each(golden.rankings)("against scikit-learn, $scores.length rows", (known) => {
  const { scores, labels, weights } = known;
  const ranked = rankScores(scores);

  it("auroc, plain and weighted", () => {
    expect(auroc(scores, labels)).toBeCloseTo(known.auroc, ROUNDING_DIGITS);
    expect(rankedAuroc(ranked, labels, weights)).toBeCloseTo(known.weighted_auroc, ROUNDING_DIGITS);
  });

  it("average precision, plain and weighted", () => {
    expect(averagePrecision(scores, labels)).toBeCloseTo(known.average_precision, ROUNDING_DIGITS);
    const weighted = rankedAveragePrecision(ranked, labels, weights);
    expect(weighted).toBeCloseTo(known.weighted_average_precision, ROUNDING_DIGITS);
  });

  it("ROC curve", () => {
    const curve = rocCurve(scores, labels);
    expect(curve.slice(1).map((point) => point.threshold)).toEqual(known.thresholds);
    expect(curve[0]!.threshold).toBe(Number.POSITIVE_INFINITY);
    curve.forEach((point, i) => {
      expect(point.falsePositiveRate).toBeCloseTo(known.fpr[i]!, ROUNDING_DIGITS);
      expect(point.truePositiveRate).toBeCloseTo(known.tpr[i]!, ROUNDING_DIGITS);
    });
  });
});

describe("auroc", () => {
  it("counts pairs, ties for half", () => {
    // positives 3, 2; negatives 2, 1: (3>2) 1 + (3>1) 1 + (2=2) 1/2 + (2>1) 1 = 3.5 of 4
    expect(auroc([3, 2, 2, 1], [1, 1, 0, 0])).toBe(0.875);
    expect(auroc([7, 7, 7], [1, 0, 1])).toBe(0.5);
    expect(auroc([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY], [0, 1])).toBe(1);
  });

  it("refuses NaN, one class, other labels and unequal lengths", () => {
    expect(() => auroc([1, Number.NaN], [0, 1])).toThrow(/Score 1 of 2 is NaN/);
    expect(() => auroc([1, 2], [1, 1])).toThrow(/both classes/);
    expect(() => auroc([1, 2], [0, 2])).toThrow(/Label 1 is 2/);
    expect(() => auroc([1], [0, 1])).toThrow(/1 scores for 2 labels/);
    expect(() => averagePrecision([1, 2], [0, 0])).toThrow(/needs a positive/);
    expect(() => rocCurve([1, 2], [0, 0])).toThrow(/both classes/);
    expect(() => rankScores([])).toThrow(/0 scores/);
  });

  const rows = fc.array(
    fc.record({ score: fc.integer({ min: -8, max: 8 }), label: fc.integer({ min: 0, max: 1 }) }),
    {
      minLength: 2,
      maxLength: 40,
    },
  );

  it("is unchanged by strictly rising maps and mirrored by falling ones", () => {
    fc.assert(
      fc.property(rows, (sample) => {
        const labels = sample.map((row) => row.label);
        fc.pre(labels.includes(0) && labels.includes(1));
        const scores = sample.map((row) => row.score);
        const area = auroc(scores, labels);
        expect(area).toBeGreaterThanOrEqual(0);
        expect(area).toBeLessThanOrEqual(1);
        const raised = scores.map((score) => Math.exp(score / 3) + score);
        expect(auroc(raised, labels)).toBe(area);
        const lowered = scores.map((score) => -score);
        expect(auroc(lowered, labels)).toBeCloseTo(1 - area, 12); // one rounding
      }),
    );
  });

  it("gives a weight what that many copies of the row give", () => {
    fc.assert(
      fc.property(rows, fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (sample, stream) => {
        const weights = sample.map(() => stream.next().value as number);
        const copies = sample.flatMap((row, i) => Array.from({ length: weights[i]! }, () => row));
        const labels = copies.map((row) => row.label);
        fc.pre(labels.includes(0) && labels.includes(1));
        const ranked = rankScores(sample.map((row) => row.score));
        const weighted = rankedAuroc(
          ranked,
          sample.map((row) => row.label),
          weights,
        );
        const scores = copies.map((row) => row.score);
        expect(weighted).toBeCloseTo(auroc(scores, labels), 12); // sums in another order
      }),
    );
  });
});
