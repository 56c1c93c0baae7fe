import fc from "fast-check";
import { expect, test } from "vitest";
import { clusterAnswers } from "./cluster-answers.ts";
import type { Equivalence } from "./equivalence.ts";
import { createExactEquivalence } from "./exact-equivalence.ts";
import { createMathEquivalence } from "./math-equivalence.ts";
import { nonTransitiveShare } from "./non-transitive-share.ts";

const CONTEXT = { question: "?" };

/** A relation given by a function, which notes what it was asked. */
function relation(same: (a: string, b: string) => boolean): Equivalence & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    name: "fake",
    provenance: "fake",
    asked,
    sameMeaning: async (pairs) => {
      asked.push(...pairs.map(([a, b]) => `${a}~${b}`));
      return pairs.map(([a, b]) => same(a, b));
    },
  };
}

const near = relation((a, b) => Math.abs(Number(a) - Number(b)) <= 1);

test("clusters are numbered by first appearance; samples without answer form one of their own", async () => {
  const answers = ["4", null, "4.0", "five", "1/2", null, "0.5", "Five"];
  expect(await clusterAnswers(answers, createMathEquivalence(), CONTEXT)).toEqual({
    clusterIds: [0, 1, 0, 2, 3, 1, 3, 2],
    clusterCount: 4,
    nonTransitiveShare: 0,
  });
  expect(
    (await clusterAnswers(["The cat.", "cat", "dog"], createExactEquivalence(), CONTEXT)).clusterIds,
  ).toEqual([0, 0, 1]);
});

test("an empty answer and a missing one are two things", async () => {
  expect(
    (
      await clusterAnswers(
        ["", null],
        relation(() => true),
        CONTEXT,
      )
    ).clusterIds,
  ).toEqual([0, 1]);
});

test("an answer is held against each cluster's first member only, and joins the first that matches", async () => {
  // 2 matches 1, which founded cluster 0; 3 matches 2 but not 1; 2.5 would match both 3 and 2.
  expect(await clusterAnswers(["1", "2", "3", "2.5"], near, CONTEXT)).toEqual({
    clusterIds: [0, 0, 1, 1],
    clusterCount: 2,
    // Of the triples 123, 12 2.5, 13 2.5 and 23 2.5 the second (1-2, 2-2.5) and the first (1-2, 2-3) are broken.
    nonTransitiveShare: 2 / 4,
  });
});

test("each pair of different texts is asked once, the earlier one in front", async () => {
  const equivalence = relation(() => false);
  await clusterAnswers(["b", "a", "b", "a", null, "c"], equivalence, CONTEXT);
  expect(equivalence.asked).toEqual(["b~a", "b~c", "a~c"]);
  const none = relation(() => false);
  expect(await clusterAnswers([null, null], none, CONTEXT)).toMatchObject({ clusterIds: [0, 0] });
  expect(await clusterAnswers([], none, CONTEXT)).toMatchObject({ clusterIds: [], clusterCount: 0 });
  expect(none.asked).toEqual([]);
});

test("many different answers are compared with the clusters only, with the same outcome", async () => {
  const answers = Array.from({ length: 40 }, (_, i) => String((i * 7) % 40));
  const { clusterIds, nonTransitiveShare: share } = await clusterAnswers(answers, near, CONTEXT);
  expect(share).toBeNull();
  const founders: string[] = [];
  const expected = answers.map((answer) => {
    const found = founders.findIndex((founder) => Math.abs(Number(founder) - Number(answer)) <= 1);
    return found === -1 ? founders.push(answer) - 1 : found;
  });
  expect(clusterIds).toEqual(expected);
});

test("with a transitive relation the grouping does not depend on the samples' order", async () => {
  const parity = relation((a, b) => Number(a) % 4 === Number(b) % 4);
  const answers = fc.array(fc.integer({ min: 0, max: 15 }).map(String), { minLength: 1, maxLength: 12 });
  const shuffled = answers.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list.keys()], { minLength: list.length })),
  );
  await fc.assert(
    fc.asyncProperty(shuffled, async ([list, order]) => {
      const { clusterIds, nonTransitiveShare: share } = await clusterAnswers(list, parity, CONTEXT);
      const other = await clusterAnswers(
        order.map((i) => list[i] as string),
        parity,
        CONTEXT,
      );
      expect(share).toBe(0);
      for (const [a, i] of order.entries())
        for (const [b, j] of order.entries())
          expect(other.clusterIds[a] === other.clusterIds[b]).toBe(clusterIds[i] === clusterIds[j]);
    }),
    { seed: 1 },
  );
});

test("share of broken triples", () => {
  const chain = (i: number, j: number): boolean => Math.abs(i - j) === 1;
  expect(nonTransitiveShare(2, () => true)).toBe(0);
  expect(nonTransitiveShare(3, chain)).toBe(1);
  expect(nonTransitiveShare(4, chain)).toBe(2 / 4);
  expect(nonTransitiveShare(5, () => true)).toBe(0);
});
