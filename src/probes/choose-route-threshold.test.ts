import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simulateRoutes } from "../../test/fakes/simulate-routes.ts";
import { chooseRouteThreshold, type RouteRows } from "./choose-route-threshold.ts";

const rowsOf = (
  rows: readonly (readonly [question: string, score: number, small: number, large: number])[],
): RouteRows => ({
  questionIds: rows.map(([question]) => question),
  scores: rows.map(([, score]) => score),
  smallIncorrect: rows.map(([, , small]) => small),
  largeIncorrect: rows.map(([, , , large]) => large),
});

describe("chooseRouteThreshold", () => {
  it("counts a question with the largest loss that it has had, worked by hand", () => {
    // a: the large model is wrong, and stays counted when the small one, which is right, answers. b: wrong from 0.2 on.
    const rows = rowsOf([
      ["a", 0.1, 0, 1],
      ["b", 0.2, 1, 0],
      ["c", 0.3, 0, 0],
    ]);
    // everything escalated: (1 + 1) / 4; from 0.2 on (2 + 1) / 4
    expect(chooseRouteThreshold(rows, 0.5).threshold).toMatchObject({ threshold: 0.1, bound: 0.5 });
    expect(chooseRouteThreshold(rows, 0.74).threshold).toMatchObject({ threshold: 0.1, bound: 0.5 });
    expect(chooseRouteThreshold(rows, 0.75).threshold).toMatchObject({
      threshold: 0.3,
      bound: 0.75,
      calibration_questions: 3,
      guarantee: expect.stringMatching(/3 calibration questions .* whoever gives them, is at most 0.75/),
    });
  });

  it("takes a question's answers as shares, and those of one score together", () => {
    // The large model is wrong in half of its answers to a. At 0.4: a right and a wrong answer, the loss stays 1/2.
    const tied = rowsOf([
      ["a", 0.4, 0, 0.5],
      ["a", 0.4, 1, 0.5],
      ["b", 0.6, 0, 0],
    ]);
    expect(chooseRouteThreshold(tied, 0.5).threshold).toMatchObject({ threshold: 0.6, bound: 0.5 });
    // One after the other: the wrong one first takes the loss to 3/4, and it is not taken back.
    const apart = rowsOf([
      ["a", 0.3, 1, 0.5],
      ["a", 0.4, 0, 0.5],
      ["b", 0.6, 0, 0],
    ]);
    expect(chooseRouteThreshold(apart, 0.58).reason).toMatch(/Only asking the large model/);
    expect(chooseRouteThreshold(apart, 0.59).threshold).toMatchObject({ threshold: 0.6 }); // 1.75 / 3
  });

  it("always escalates what has no score", () => {
    const rows = rowsOf([
      ["a", Number.NaN, 1, 0],
      ["b", 0.5, 0, 0],
      ["c", 0.6, 1, 0],
    ]);
    expect(chooseRouteThreshold(rows, 0.25).threshold).toMatchObject({ threshold: 0.5, bound: 0.25 });
    const none = rowsOf([["a", Number.NaN, 0, 0]]);
    expect(chooseRouteThreshold(none, 0.5).reason).toMatch(/No calibration answer/);
  });

  it("says why there is no threshold", () => {
    const few = rowsOf([["a", 0.1, 0, 0]]);
    expect(chooseRouteThreshold(few, 0.1).reason).toMatch(
      /1 calibration questions are too few .* at least 9/,
    );
    const bad = rowsOf([
      ["a", 0.1, 0, 1],
      ["b", 0.2, 0, 1],
      ["c", 0.3, 0, 0],
    ]);
    expect(chooseRouteThreshold(bad, 0.5).reason).toMatch(/large model alone is wrong on 66.7% of the 3/);
    const risky = rowsOf([
      ["a", 0.1, 1, 0],
      ["b", 0.2, 1, 0],
      ["c", 0.3, 1, 0],
    ]);
    expect(chooseRouteThreshold(risky, 0.3).reason).toMatch(/Only asking the large model every question/);
    expect(() => chooseRouteThreshold(risky, 1)).toThrow(RangeError);
  });

  it("never promises what the calibration questions themselves do not keep", () => {
    const row = fc.tuple(
      fc.integer({ min: 0, max: 11 }).map(String),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: 1 }),
      fc.constantFrom(0, 0.5, 1),
    );
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 40 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        (list, target) => {
          const rows = rowsOf(list);
          const { threshold } = chooseRouteThreshold(rows, target);
          if (threshold === null) return;
          const losses = new Map<string, number[]>();
          for (const [question, score, small, large] of list)
            losses.set(question, [
              ...(losses.get(question) ?? []),
              score <= threshold.threshold ? small : large,
            ]);
          const total = [...losses.values()].reduce(
            (sum, own) => sum + own.reduce((a, b) => a + b, 0) / own.length,
            0,
          );
          expect((total + 1) / (losses.size + 1)).toBeLessThanOrEqual(threshold.bound + 1e-9);
          expect(threshold.bound).toBeLessThanOrEqual(target + 1e-9);
        },
      ),
      { seed: 5 },
    );
  });

  it("keeps its promise on new questions", () => {
    const { meanRisk, standardError, held, escalated } = simulateRoutes({
      resplits: 25,
      calibration: 80,
      target: 0.2,
    });
    expect(meanRisk).toBeLessThanOrEqual(0.2 + 2 * standardError);
    expect(held).toBeGreaterThanOrEqual(0.9);
    expect(escalated).toBeGreaterThan(0.05);
    expect(escalated).toBeLessThan(0.95);
  });

  it.each([
    { target: 0.1, calibration: 60 },
    { target: 0.2, calibration: 60 },
    { target: 0.2, calibration: 300 },
    { target: 0.3, calibration: 300 },
  ])(
    "keeps $target on 200 resplits with $calibration calibration questions",
    { tags: ["long"] },
    (options) => {
      const { meanRisk, standardError, held } = simulateRoutes({ resplits: 200, ...options });
      expect(meanRisk).toBeLessThanOrEqual(options.target + 2 * standardError);
      // a single resplit may be off by what its own questions are off
      expect(held).toBeGreaterThanOrEqual(0.95);
    },
  );

  it("is held by a simulation that notices a target missed by 0.15", () => {
    const { meanRisk } = simulateRoutes({ resplits: 25, calibration: 80, target: 0.2, slack: 0.15 });
    expect(meanRisk).toBeGreaterThan(0.25);
  });
});
