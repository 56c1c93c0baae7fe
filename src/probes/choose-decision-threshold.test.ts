import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { chooseDecisionThreshold, type DecisionTarget, decisionCurve } from "./choose-decision-threshold.ts";

const QUESTIONS = ["a", "a", "b", "b", "c", "c", "d", "d"];

describe("chooseDecisionThreshold", () => {
  it("adds one to the losses for the question that is to come", () => {
    // Nine questions of one answer, wrong from the seventh on: losses 0 x 6, then 1, 2, 3.
    const scores = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const wrong = [0, 0, 0, 0, 0, 0, 1, 1, 1];
    const ids = scores.map(String);
    const at = (target: number): number | undefined =>
      chooseDecisionThreshold(scores, wrong, ids, { kind: "risk", target }).threshold?.threshold;
    expect(at(0.1)).toBe(6); // (0 + 1) / 10
    expect(at(0.2)).toBe(7); // (1 + 1) / 10
    expect(at(0.39)).toBe(8);
    expect(at(0.4)).toBe(9);
  });

  it("counts shares of a question's answers, not rows", () => {
    const scores = [1, 5, 2, 6, 3, 7, 4, 8];
    const wrong = [0, 1, 0, 1, 0, 1, 0, 1];
    // Halves: at 5 one half is wrong, (0.5 + 1) / 5 = 0.3
    const risk = chooseDecisionThreshold(scores, wrong, QUESTIONS, { kind: "risk", target: 0.3 });
    expect(risk.threshold).toMatchObject({ threshold: 5, calibration_questions: 4 });
    // Answers missing above 6: two halves, (1 + 1) / 5 = 0.4
    const coverage = chooseDecisionThreshold(scores, wrong, QUESTIONS, { kind: "coverage", target: 0.6 });
    expect(coverage.threshold!.threshold).toBe(6);
    expect(coverage.threshold!.guarantee).toMatch(/4 calibration questions .* at least 0.6/);
  });

  it("says what cannot be promised, and why", () => {
    const few = chooseDecisionThreshold([1, 2], [0, 0], ["a", "b"], { kind: "risk", target: 0.1 });
    expect(few).toEqual({
      threshold: null,
      reason: expect.stringMatching(/2 calibration questions .* at least 9/),
    });
    const scores = Array.from({ length: 20 }, (_, i) => i);
    const ids = scores.map(String);
    const wrong = chooseDecisionThreshold(
      scores,
      scores.map(() => 1),
      ids,
      { kind: "risk", target: 0.06 },
    );
    expect(wrong.reason).toMatch(/least uncertain .* wrong too often/);
    const unknown = scores.map((score) => (score < 15 ? Number.NaN : score));
    expect(chooseDecisionThreshold(unknown, [], ids, { kind: "coverage", target: 0.8 }).reason).toMatch(
      /lack this score/,
    );
    expect(
      chooseDecisionThreshold(
        scores.map(() => Number.NaN),
        [],
        ids,
        { kind: "coverage", target: 0.8 },
      ).reason,
    ).toMatch(/No calibration answer/);
    expect(() => chooseDecisionThreshold([1], [0], ["a"], { kind: "risk", target: 1 })).toThrow(/outside/);
  });

  it("answers more the more may go wrong, and takes tied scores together", () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 })), {
      minLength: 30,
      maxLength: 40,
    });
    fc.assert(
      fc.property(rows, (pairs) => {
        const scores = pairs.map(([score]) => score);
        const wrong = pairs.map(([, label]) => label);
        const ids = pairs.map((_, i) => `q${i % 20}`);
        const at = (target: DecisionTarget): number =>
          chooseDecisionThreshold(scores, wrong, ids, target).threshold?.threshold ?? -1;
        expect(at({ kind: "risk", target: 0.1 })).toBeLessThanOrEqual(at({ kind: "risk", target: 0.3 }));
        expect(at({ kind: "coverage", target: 0.5 })).toBeLessThanOrEqual(
          at({ kind: "coverage", target: 0.9 }),
        );
      }),
    );
  });

  it.each([
    ["risk", 0.2],
    ["coverage", 0.7],
  ] as const)("keeps its promise about %s %s on average, and not by far", (kind, target) => {
    const bound = kind === "risk" ? target : 1 - target;
    const losses: number[] = [];
    for (let set = 0; set < 400; set++) {
      const rng = createRng("conformal", kind, set);
      const draw = (count: number) => {
        const rows = Array.from({ length: count }, (_, question) => {
          const difficulty = rng.next();
          return [0, 1, 2].map(() => ({
            id: `q${question}`,
            score: difficulty + 0.5 * rng.next(),
            wrong: rng.next() < difficulty ? 1 : 0,
          }));
        }).flat();
        return rows;
      };
      const rows = draw(30);
      const { threshold } = chooseDecisionThreshold(
        rows.map(({ score }) => score),
        rows.map(({ wrong }) => wrong),
        rows.map(({ id }) => id),
        { kind, target },
      );
      const fresh = draw(40);
      const lost = fresh.filter(({ score, wrong }) => {
        const isGiven = threshold !== null && score <= threshold.threshold;
        return kind === "risk" ? isGiven && wrong === 1 : !isGiven;
      });
      losses.push(lost.length / fresh.length);
    }
    const average = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    // Standard error of the mean about 0.004; the most that is given away is about 2 / (Q + 1) and a jump of a third.
    expect(average).toBeLessThan(bound + 0.012);
    expect(average).toBeGreaterThan(bound - 0.09);
  });
});

describe("decisionCurve", () => {
  it("has at each threshold the target that would choose it", () => {
    const rng = createRng("curve");
    const ids = Array.from({ length: 60 }, (_, row) => `q${Math.floor(row / 3)}`);
    const scores = ids.map(() => Math.floor(rng.next() * 25) / 25);
    const wrong = scores.map((score) => (rng.next() < score ? 1 : 0));
    const curve = decisionCurve(scores, wrong, ids);
    expect(curve.length).toBeGreaterThan(15);
    for (const [index, { threshold, risk, coverage }] of curve.entries()) {
      const choose = (target: DecisionTarget) =>
        chooseDecisionThreshold(scores, wrong, ids, target).threshold;
      if (risk < 1 && curve[index + 1]?.risk !== risk)
        expect(choose({ kind: "risk", target: risk })?.threshold).toBe(threshold);
      if (coverage > 0 && curve[index - 1]?.coverage !== coverage)
        expect(choose({ kind: "coverage", target: coverage })?.threshold).toBe(threshold);
    }
  });
});
