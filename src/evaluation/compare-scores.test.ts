import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auroc, aurocComponents } from "../math/auroc.ts";
import { createRng } from "../math/rng.ts";
import { compareScores, pairedTest, pairedTestAcross } from "./compare-scores.ts";

const QUICK = { resamples: 100, permutations: 199 };

describe("aurocComponents", () => {
  it("has influences that add up to nothing, about the AUROC that pairs have", () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 1 })), {
      minLength: 2,
      maxLength: 40,
    });
    fc.assert(
      fc.property(rows, (pairs) => {
        const labels = pairs.map(([, label]) => label);
        fc.pre(labels.includes(0) && labels.includes(1));
        const scores = pairs.map(([score]) => score);
        const own = aurocComponents(scores, labels);
        expect(own.auroc).toBeCloseTo(auroc(scores, labels), 12); // sums in another order
        expect(own.influences.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 12);
      }),
    );
    expect(() => aurocComponents([1, 2], [1, 1])).toThrow(/both classes/);
  });
});

describe("pairedTestAcross", () => {
  const rng = createRng("across");
  const ids = Array.from({ length: 80 }, (_, row) => `q${row >> 2}`);
  const labels = ids.map(() => (rng.next() < 0.4 ? 1 : 0));
  const [good, noise] = [labels.map((label) => label + rng.next()), labels.map(() => rng.next())];
  const take = (rows: readonly number[], scores: readonly number[]) => ({
    scores: rows.map((row) => scores[row]!),
    labels: rows.map((row) => labels[row]!),
    questionIds: rows.map((row) => ids[row]!),
  });
  const all = [...ids.keys()];

  it("is the paired test where both have the same answers, in any order", () => {
    const expected = pairedTest(good, noise, labels, ids, QUICK);
    const found = pairedTestAcross(take(all, good), take(all, noise), QUICK)!;
    expect(found).toEqual(expected);
    const turned = pairedTestAcross(take(all, good), take(all.toReversed(), noise), QUICK)!;
    expect(turned.auc_difference.estimate).toBeCloseTo(expected.auc_difference.estimate, 12);
    expect(turned.auc_difference.intervals[0]!.low).toBeCloseTo(
      expected.auc_difference.intervals[0]!.low,
      12,
    );
  });

  it("looks at shared questions alone, and at nothing where there are none", () => {
    const others = { scores: [0, 1], labels: [1, 0], questionIds: ["x", "y"] };
    const first = take(all, good);
    const second = take(all.slice(40), noise);
    const joined = {
      scores: [...second.scores, ...others.scores],
      labels: [...second.labels, ...others.labels],
      questionIds: [...second.questionIds, ...others.questionIds],
    };
    expect(pairedTestAcross(first, joined, QUICK)).toEqual(
      pairedTestAcross(take(all.slice(40), good), second, QUICK),
    );
    expect(pairedTestAcross(first, joined, QUICK)!.question_count).toBe(10);
    expect(pairedTestAcross(first, others, QUICK)).toBeNull();
  });

  it("rejects about as often as it says for two studies of the same questions", () => {
    const trials = 300;
    let rejected = 0;
    for (let trial = 0; trial < trials; trial++) {
      const own = createRng("across-null", trial);
      const difficulty = Array.from({ length: 25 }, () => own.next());
      const draw = (samples: number) => {
        const rows = difficulty.flatMap((hard, q) => {
          const common = own.next();
          return Array.from({ length: samples }, () => {
            const label = own.next() < hard ? 1 : 0;
            return { questionId: `q${q}`, label, score: 0.7 * label + common + own.next() };
          });
        });
        return {
          scores: rows.map(({ score }) => score),
          labels: rows.map(({ label }) => label),
          questionIds: rows.map(({ questionId }) => questionId),
        };
      };
      const found = pairedTestAcross(draw(4), draw(6), { resamples: 1, permutations: 99, seed: trial });
      if (found !== null && found.p_value! <= 0.05) rejected++;
    }
    // 5% of 300 is 15, with a standard deviation of 3.8
    expect(rejected).toBeLessThan(28);
    expect(rejected).toBeGreaterThan(3);
  });
});

describe("pairedTest", () => {
  const rng = createRng("paired");
  const ids = Array.from({ length: 120 }, (_, row) => `q${row >> 2}`);
  const labels = ids.map(() => (rng.next() < 0.4 ? 1 : 0));
  const good = labels.map((label) => label + rng.next());
  const noise = labels.map(() => rng.next());

  it("finds a difference that is there, in both directions", () => {
    const found = pairedTest(good, noise, labels, ids, QUICK);
    expect(found.auc_difference.estimate).toBeGreaterThan(0.3);
    expect(found.p_value).toBe(1 / 200); // the least there is
    const turned = pairedTest(noise, good, labels, ids, QUICK);
    expect(turned.p_value).toBe(found.p_value);
    expect(turned.auc_difference.estimate).toBe(-found.auc_difference.estimate);
  });

  it("is 1 for a score against itself, also after a monotone map", () => {
    const mapped = good.map((score) => Math.exp(score));
    const { p_value, auc_difference } = pairedTest(good, mapped, labels, ids, QUICK);
    expect(p_value).toBe(1);
    expect(auc_difference.estimate).toBe(0);
  });

  it("rejects about as often as it says where rows of a question go together", () => {
    const trials = 300;
    let rejected = 0;
    for (let trial = 0; trial < trials; trial++) {
      const own = createRng("paired-null", trial);
      const rows = Array.from({ length: 25 }, (_, q) => {
        const [difficulty, first] = [own.next(), own.next()];
        return Array.from({ length: 4 }, () => {
          const label = own.next() < difficulty ? 1 : 0;
          // one steady within a question, one not: equally good, but not exchangeable
          return { id: `q${q}`, label, first: label + 3 * first, second: label + 3 * own.next() };
        });
      }).flat();
      const result = pairedTest(
        rows.map(({ first }) => first),
        rows.map(({ second }) => second),
        rows.map(({ label }) => label),
        rows.map(({ id }) => id),
        { resamples: 1, permutations: 99, seed: trial },
      );
      if (result.p_value! <= 0.1) rejected++;
    }
    // 0.1 +- three standard errors of 0.0173
    expect(rejected / trials).toBeGreaterThan(0.048);
    expect(rejected / trials).toBeLessThan(0.152);
  });

  it("has no p-value with one question", () => {
    expect(pairedTest([1, 2], [2, 1], [0, 1], ["a", "a"], QUICK).p_value).toBeNull();
  });
});

describe("compareScores", () => {
  it("compares the rows that both scores have, and leaves out pairs that lack a class", () => {
    const labels = Uint8Array.of(0, 1, 0, 1);
    const scores = {
      a: Float64Array.of(1, 2, 3, 4),
      b: Float64Array.of(1, 2, Number.NaN, Number.NaN),
      c: Float64Array.of(1, Number.NaN, 2, Number.NaN),
    };
    const found = compareScores("a", ["b", "c"], scores, labels, ["p", "q", "r", "s"], QUICK);
    expect(found.map(({ first, second, row_count }) => [first, second, row_count])).toEqual([["a", "b", 2]]);
  });
});
