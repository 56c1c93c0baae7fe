import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupedStratifiedFolds, splitQuestions } from "./split-questions.ts";

const ids = Array.from({ length: 200 }, (_, i) => `q-${i}`);

describe("splitQuestions", () => {
  it("divides 200 questions 140, 30, 30, each in one part", () => {
    const { train, val, test } = splitQuestions(ids);
    expect([train.length, val.length, test.length]).toEqual([140, 30, 30]);
    expect(new Set([...train, ...val, ...test]).size).toBe(200);
  });

  it("does not depend on order or repeats, but on the seed", () => {
    const split = splitQuestions(ids);
    expect(splitQuestions([...ids].reverse())).toEqual(split);
    expect(splitQuestions([...ids, ...ids])).toEqual(split);
    expect(splitQuestions(ids, { seed: 43 }).test).not.toEqual(split.test);
  });

  it("keeps groups whole, and the ratios as well as they allow", () => {
    const groupOf = new Map(ids.map((id, i) => [id, `q-${i - (i % 4)}`]));
    const split = splitQuestions(ids, { groupOf });
    const sideOf = new Map(
      (["train", "val", "test"] as const).flatMap((part) => split[part].map((id) => [id, part])),
    );
    for (const id of ids) expect(sideOf.get(id)).toBe(sideOf.get(groupOf.get(id)!));
    expect([split.train.length, split.val.length, split.test.length]).toEqual([140, 28, 32]);
    expect(splitQuestions([...ids].reverse(), { groupOf })).toEqual(split);
    expect(splitQuestions(ids, { groupOf: new Map(ids.map((id) => [id, id])) })).toEqual(splitQuestions(ids));
  });

  it("refuses ratios that do not add up", () => {
    const ratios = { train: 0.7, val: 0.2, test: 0.2 };
    expect(() => splitQuestions(ids, { ratios })).toThrow(/add up to 1/);
    expect(() => splitQuestions(ids, { ratios: { train: 1.5, val: -0.5, test: 0 } })).toThrow(
      /expected numbers from 0/,
    );
  });
});

describe("groupedStratifiedFolds", () => {
  it("spreads the classes evenly where that is possible", () => {
    // 10 questions of 4 rows, half of them all 1: five folds of two questions must have one of each
    const questions = Array.from({ length: 40 }, (_, row) => `q${Math.floor(row / 4)}`);
    const labels = questions.map((question) => (Number(question.slice(1)) < 5 ? 1 : 0));
    const folds = groupedStratifiedFolds(questions, labels, 5, 1);
    for (let fold = 0; fold < 5; fold++) {
      const own = labels.filter((_, row) => folds[row] === fold);
      expect(own.length).toBe(8);
      expect(own.filter((label) => label === 1).length).toBe(4);
    }
  });

  it("keeps a question's rows together, fills every fold and ignores the order of questions", () => {
    const sample = fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 3 })), {
      minLength: 5,
      maxLength: 60,
    });
    fc.assert(
      fc.property(sample, (rows) => {
        const questions = rows.map(([question]) => `q${question}`);
        const distinct = new Set(questions).size;
        fc.pre(distinct >= 3);
        const labels = rows.map(([, label]) => label);
        const folds = groupedStratifiedFolds(questions, labels, 3, 7);
        expect(new Set(folds).size).toBe(3);
        const foldOf = new Map(questions.map((question, row) => [question, folds[row]]));
        questions.forEach((question, row) => {
          expect(folds[row]).toBe(foldOf.get(question));
        });
        const backwards = groupedStratifiedFolds([...questions].reverse(), [...labels].reverse(), 3, 7);
        expect([...backwards].reverse()).toEqual([...folds]);
      }),
    );
  });

  it("refuses more folds than questions", () => {
    expect(() => groupedStratifiedFolds(["a", "a", "b"], [0, 1, 0], 3, 1)).toThrow(/3 folds .* got 2/);
  });
});
