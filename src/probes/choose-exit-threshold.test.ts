import { describe, expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { chooseExitThreshold, type ExitChain, type ExitTarget } from "./choose-exit-threshold.ts";

const EXPECTED: ExitTarget = { target: 0.25, promise: "expected", confidence: 0.95 };
const REALISED: ExitTarget = { target: 0.1, promise: "realized", confidence: 0.95 };

const chain = (questionGroup: string, ...steps: readonly (readonly [number, number])[]): ExitChain => ({
  questionGroup,
  steps: steps.map(([score, harm]) => ({ score, harm })),
});

/** Of a population in which a lower score does harm less often. */
function simulate(questions: number, seed: number, chains = 2): ExitChain[] {
  const rng = createRng("exit-chains", seed);
  return Array.from({ length: questions }, (_, q) =>
    Array.from({ length: chains }, () => {
      const length = 1 + rng.integer(6);
      return chain(
        `q${q}`,
        ...Array.from({ length }, (_, i): [number, number] => {
          const score = rng.next() * (1 - i / 8);
          return [score, rng.next() < 0.8 * score ** 2 ? 1 : 0];
        }),
      );
    }),
  ).flat();
}

/** Mean over questions of the harm at a threshold. */
function harmAt(chains: readonly ExitChain[], threshold: number | null): number {
  const losses = new Map<string, number[]>();
  for (const { questionGroup, steps } of chains) {
    const acted = threshold === null ? undefined : steps.find(({ score }) => score <= threshold);
    losses.set(questionGroup, [...(losses.get(questionGroup) ?? []), acted?.harm ?? 0]);
  }
  const means = [...losses.values()].map((own) => own.reduce((a, b) => a + b, 0) / own.length);
  return means.reduce((a, b) => a + b, 0) / means.length;
}

describe("chooseExitThreshold", () => {
  it("is the highest score at which (sum of losses + 1) / (Q + 1) is at most the target, worked out by hand", () => {
    const chains = [
      ...["a", "b", "c", "d", "e", "f"].map((q, i) => chain(q, [0.9, 1], [(10 + i) / 100, 0])),
      chain("g", [0.5, 1]),
    ];
    // at 0.15 nobody is harmed: 1/8; at 0.5 one is: 2/8 = 0.25; at 0.9 all are
    expect(chooseExitThreshold(chains, EXPECTED)).toEqual({
      threshold: 0.5,
      calibration_questions: 7,
      reason: null,
    });
    expect(chooseExitThreshold(chains, { ...EXPECTED, target: 0.2 })).toMatchObject({ threshold: 0.15 });
    expect(chooseExitThreshold(chains, { ...EXPECTED, target: 0.1 })).toMatchObject({
      threshold: null,
      reason: expect.stringMatching(/7 calibration questions are too few/),
    });
  });

  it("counts a question with its largest loss so far, though acting earlier may do no harm", () => {
    const chains = Array.from({ length: 9 }, (_, q) =>
      chain(`q${q}`, [0.8, 0], [0.4, q < 3 ? 1 : 0], [0.1, 0]),
    );
    // 3 of 9 at 0.4 and, since losses must not fall again, at 0.8
    expect(chooseExitThreshold(chains, { ...EXPECTED, target: 0.3 })).toMatchObject({ threshold: 0.1 });
    expect(chooseExitThreshold(chains, { ...EXPECTED, target: 0.41 })).toMatchObject({ threshold: 0.8 });
  });

  it("never acts on a score that is not known, and says so where none is", () => {
    const chains = Array.from({ length: 30 }, (_, q) => chain(`q${q}`, [Number.NaN, 1]));
    expect(chooseExitThreshold(chains, EXPECTED)).toMatchObject({
      reason: "No calibration chain has this score.",
    });
    const harmful = Array.from({ length: 30 }, (_, q) => chain(`q${q}`, [0.3, 1]));
    expect(chooseExitThreshold(harmful, EXPECTED)).toMatchObject({ reason: expect.stringMatching(/surest/) });
    expect(() => chooseExitThreshold(chains, { ...EXPECTED, target: 0 })).toThrow(RangeError);
  });

  it("allows for realized harm no losses of 40 questions at 10%, and 7 of 300 at 5%", () => {
    // P(X <= c) of c + floor(10% of 40) + 1 losses that fall into two halves of 40 at random: 0.027 for c = 0, 0.10 for 1
    const few = Array.from({ length: 40 }, (_, q) => chain(`q${q}`, [0.1, 0], [0.05, 0]));
    expect(chooseExitThreshold(few, REALISED).threshold).toBe(0.1);
    const one = few.map((each, q) => (q === 0 ? chain("q0", [0.1, 1], [0.05, 0]) : each));
    expect(chooseExitThreshold(one, REALISED).threshold).toBe(0.05);
    for (const [harmed, threshold] of [
      [7, 0.1],
      [8, 0.05],
    ]) {
      const many = Array.from({ length: 300 }, (_, q) =>
        chain(`q${q}`, [0.1, q < harmed! ? 1 : 0], [0.05, 0]),
      );
      expect(chooseExitThreshold(many, { ...REALISED, target: 0.05 }).threshold).toBe(threshold);
    }
  });

  it.each([
    [{ ...EXPECTED, target: 0.05 }, 19],
    [REALISED, 40],
    [{ ...REALISED, target: 0.05 }, 80],
  ])("says of too few questions how many are needed: %o", (target, needed) => {
    const choose = (questions: number) =>
      chooseExitThreshold(
        Array.from({ length: questions }, (_, q) => chain(`q${q}`, [0.1, 0])),
        target,
      );
    expect(choose(needed - 1)).toMatchObject({
      threshold: null,
      reason: expect.stringMatching(`too few .*at least ${needed} are needed`),
    });
    expect(choose(needed).threshold).toBe(0.1);
  });

  it("keeps both promises in simulations, within their Monte Carlo error", () => {
    const trials = 400;
    const expected: number[] = [];
    let held = 0;
    for (let trial = 0; trial < trials; trial++) {
      const [calibration, fresh] = [simulate(150, 2 * trial), simulate(150, 2 * trial + 1)];
      expected.push(harmAt(fresh, chooseExitThreshold(calibration, { ...EXPECTED, target: 0.1 }).threshold));
      if (harmAt(fresh, chooseExitThreshold(calibration, REALISED).threshold) <= 0.1) held += 1;
    }
    const mean = expected.reduce((a, b) => a + b, 0) / trials;
    const deviation = Math.sqrt(expected.reduce((sum, each) => sum + (each - mean) ** 2, 0) / trials);
    expect(mean).toBeLessThanOrEqual(0.1 + (3 * deviation) / Math.sqrt(trials));
    expect(mean).toBeGreaterThan(0.05); // it does act
    expect(held / trials).toBeGreaterThanOrEqual(0.95 - 3 * Math.sqrt((0.95 * 0.05) / trials));
  });
});
