import { describe, expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { createLabelPermuter } from "../probes/sweep/test-permutations.ts";
import { permutationTest } from "./evaluate-score.ts";

describe("createLabelPermuter", () => {
  it("exchanges one label a question among all questions, whatever their sizes", () => {
    const questions = ["a", "a", "a", "b", "c", "c"];
    const permuter = createLabelPermuter([1, 1, 1, 0, 0, 0], questions);
    expect(permuter).toMatchObject({
      scheme: "question-labels",
      exchangeableQuestions: 3,
      fixedQuestions: 0,
    });
    const seen = new Set<string>();
    const rng = createRng("test");
    for (let i = 0; i < 60; i++) {
      const drawn = permuter.draw(rng);
      expect(new Set(drawn.subarray(0, 3)).size).toBe(1);
      expect(drawn[4]).toBe(drawn[5]);
      seen.add(drawn.join(""));
    }
    expect([...seen].sort()).toEqual(["000011", "000100", "111000"]); // the one positive at c, b or a
  });

  it("moves blocks whole, and only between questions of equal size", () => {
    const questions = ["a", "a", "b", "b", "c", "d", "e", "e", "e"];
    const labels = [1, 0, 0, 0, 1, 0, 1, 0, 1];
    const permuter = createLabelPermuter(labels, questions);
    expect(permuter).toMatchObject({ scheme: "equal-blocks", exchangeableQuestions: 4, fixedQuestions: 1 });
    const rng = createRng("test");
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const drawn = permuter.draw(rng);
      seen.add(`${drawn.subarray(0, 4).join("")}|${drawn.subarray(4, 6).join("")}`);
      expect([...drawn.subarray(6)]).toEqual([1, 0, 1]);
    }
    expect([...seen].sort()).toEqual(["0010|01", "0010|10", "1000|01", "1000|10"]);
  });
});

describe("permutationTest", () => {
  it("gives the exact share for few questions", () => {
    // Four questions of one row; only the true order has AUROC 1: p near 1/6 (4 choose 2 ways to place two positives).
    const { p_value } = permutationTest([4, 3, 2, 1], [1, 1, 0, 0], ["a", "b", "c", "d"], {
      permutations: 5000,
    });
    expect(p_value).toBeGreaterThan(1 / 6 - 0.016); // three standard errors of 5000 draws
    expect(p_value).toBeLessThan(1 / 6 + 0.016);
  });

  it("is 1 for a score that says nothing, and never 0", () => {
    const ids = Array.from({ length: 40 }, (_, i) => `q${i}`);
    const labels = ids.map((_, i) => i % 2);
    expect(permutationTest(new Float64Array(40), labels, ids, { permutations: 99 }).p_value).toBe(1);
    expect(permutationTest(labels, labels, ids, { permutations: 99 }).p_value).toBe(0.01);
  });

  it("rejects a true null about as often as it says, where rows of a question go together", () => {
    let rejected = 0;
    const trials = 300;
    for (let trial = 0; trial < trials; trial++) {
      const rng = createRng("null", trial);
      const questions: string[] = [];
      const scores: number[] = [];
      const labels: number[] = [];
      for (let q = 0; q < 16; q++) {
        const score = rng.next();
        const difficulty = rng.next();
        for (let run = 0; run < 6; run++) {
          questions.push(`q${q}`);
          scores.push(score + 0.1 * rng.next());
          labels.push(rng.next() < difficulty ? 1 : 0);
        }
      }
      const { p_value } = permutationTest(scores, labels, questions, { permutations: 99, seed: trial });
      if (p_value! <= 0.1) rejected++;
    }
    // 0.1 +- three standard errors of 0.0173; permuting rows instead rejects 0.26 of these
    expect(rejected / trials).toBeGreaterThan(0.048);
    expect(rejected / trials).toBeLessThan(0.152);
  });

  it("has no p-value where nothing can be exchanged", () => {
    const result = permutationTest([1, 2, 3], [0, 1, 0], ["a", "a", "b"]);
    expect(result).toMatchObject({ p_value: null, exchangeable_questions: 0, fixed_questions: 2 });
  });
});
