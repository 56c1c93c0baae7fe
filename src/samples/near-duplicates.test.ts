import fc from "fast-check";
import { expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { questionWords } from "../text/segment-text.ts";
import { groupQuestions } from "./near-duplicates.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

it("tells repeats, near-duplicates and others apart", () => {
  const long = "A train leaves Leeds at noon at forty miles an hour and a second one an hour later at sixty";
  const texts = [
    "What is 17 + 25?",
    "What is 17 + 26?",
    "what is 17+25",
    `${long}. When do they meet?`,
    `${long}: when do both meet?`,
    `${long}. When do they meet?!`,
    "Why?",
    "why",
    "Why not?",
  ];
  const { firstOf, sameCount, nearCount } = groupQuestions(texts);
  expect([...firstOf]).toEqual([0, 1, 0, 3, 3, 3, 6, 6, 8]);
  expect({ sameCount, nearCount }).toEqual({ sameCount: 3, nearCount: 1 });
  expect(groupQuestions([])).toEqual({ firstOf: new Int32Array(0), sameCount: 0, nearCount: 0 });
});

it("joins what resembles one another by way of a third, and counts a similarity of exactly the threshold", () => {
  const words = [...LETTERS];
  // one gram of 24 is another: 23 / 25; and two are: 22 / 26
  const [one, two, three] = [words, [...words.slice(1), "#"], [...words.slice(2), "#", "%"]].map((own) =>
    own.join(" "),
  );
  expect([...groupQuestions([one!, three!], { threshold: 23 / 25 }).firstOf]).toEqual([0, 1]);
  expect([...groupQuestions([one!, two!, three!], { threshold: 23 / 25 }).firstOf]).toEqual([0, 0, 0]);
  expect([...groupQuestions([one!, two!], { threshold: 23 / 25 + 1e-6 }).firstOf]).toEqual([0, 1]);
});

it("finds what comparing every pair finds", () => {
  const anyText = fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 24 }).chain((base) =>
    fc.array(
      fc.array(fc.tuple(fc.nat(23), fc.integer({ min: 0, max: 7 })), { maxLength: 3 }).map((edits) => {
        const words = [...base];
        for (const [at, word] of edits) if (at < words.length) words[at] = word;
        return words.map((word) => LETTERS[word]).join(" ");
      }),
      { maxLength: 12 },
    ),
  );
  fc.assert(
    fc.property(
      fc.array(anyText, { maxLength: 4 }),
      fc.constantFrom(1, 2, 3),
      fc.constantFrom(0.5, 0.7, 0.8, 0.9, 1),
      (groups, gramSize, threshold) => {
        const texts = groups.flat();
        expect([...groupQuestions(texts, { gramSize, threshold }).firstOf]).toEqual(
          compareAll(texts, gramSize, threshold),
        );
      },
    ),
    { numRuns: 300, seed: 11 },
  );
});

it("groups thousands of questions of one template, which resemble one another, in a moment", () => {
  const rng = createRng("near-duplicates", 3);
  const template = Array.from({ length: 48 }, () => `${LETTERS[rng.integer(26)]}${LETTERS[rng.integer(26)]}`);
  const texts = Array.from({ length: 20_000 }, (_, i) =>
    [...template.slice(0, 20), i, ...template.slice(20)].join(" "),
  );
  const { nearCount } = groupQuestions(texts);
  expect(nearCount).toBe(19_999);
});

it("refuses a gram of no words, and a threshold that all or none would reach", () => {
  for (const options of [{ gramSize: 0 }, { gramSize: 1.5 }, { threshold: 0 }, { threshold: 1.1 }])
    expect(() => groupQuestions([], options)).toThrow(RangeError);
});

function compareAll(texts: readonly string[], gramSize: number, threshold: number): number[] {
  const words = texts.map(questionWords);
  const grams = words.map(
    (own) => new Set(own.slice(gramSize - 1).map((_, at) => own.slice(at, at + gramSize).join(" "))),
  );
  const firstOf = texts.map((_, i) => i);
  const areAlike = (i: number, j: number): boolean => {
    if (words[i]!.join(" ") === words[j]!.join(" ")) return true;
    const shared = [...grams[i]!].filter((gram) => grams[j]!.has(gram)).length;
    const all = grams[i]!.size + grams[j]!.size - shared;
    return shared > 0 && shared / all >= threshold;
  };
  for (let i = 0; i < texts.length; i++) {
    for (let j = 0; j < i; j++) {
      if (firstOf[i] === firstOf[j] || !areAlike(i, j)) continue;
      const [kept, lost] = [Math.min(firstOf[i]!, firstOf[j]!), Math.max(firstOf[i]!, firstOf[j]!)];
      for (const [k, first] of firstOf.entries()) if (first === lost) firstOf[k] = kept;
    }
  }
  return firstOf;
}
