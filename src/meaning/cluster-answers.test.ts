import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTableEntailer } from "../../test/fakes/table-entailer.ts";
import { type Clustering, clusterAnswers, clusterQuestions, nonTransitiveShare } from "./cluster-answers.ts";
import type { AnswerPair, Equivalence } from "./equivalence.ts";
import { createExactEquivalence, createMathEquivalence } from "./hybrid-equivalence.ts";
import { createNliEquivalence } from "./nli-equivalence.ts";

const CONTEXT = { question: "?" };

/** A relation given by a function, which notes what it was asked, one entry per call. */
function relation(
  same: (a: string, b: string) => boolean,
): Equivalence & { readonly calls: (readonly AnswerPair[])[] } {
  const calls: (readonly AnswerPair[])[] = [];
  return {
    name: "fake",
    provenance: "fake",
    calls,
    compare: async (pairs, { signal } = {}) => {
      signal?.throwIfAborted();
      calls.push(pairs);
      return pairs.map(({ first, second }) => ({ same: same(first, second), rule: "custom" }));
    },
  };
}

const show = (calls: readonly (readonly AnswerPair[])[]): string[][] =>
  calls.map((pairs) => pairs.map(({ question, first, second }) => `${question} ${first}~${second}`));

const isNear = (a: string, b: string): boolean => Math.abs(Number(a) - Number(b)) <= 1;

test("clusters are numbered by first appearance; samples without answer form one of their own", async () => {
  const answers = ["4", null, "4.0", "five", "1/2", null, "0.5", "Five"];
  expect(await clusterAnswers(answers, createMathEquivalence(), CONTEXT)).toMatchObject({
    clusterIds: [0, 1, 0, 2, 3, 1, 3, 2],
    clusterCount: 4,
    nonTransitiveShare: 0,
    orderSensitivity: null,
    texts: ["4", "4.0", "five", "1/2", "0.5", "Five"],
  });
  expect(
    (await clusterAnswers(["The cat.", "cat", "dog"], createExactEquivalence(), CONTEXT)).clusterIds,
  ).toEqual([0, 0, 1]);
});

test("an empty answer and a missing one are two things", async () => {
  const always = relation(() => true);
  expect((await clusterAnswers(["", null], always, CONTEXT)).clusterIds).toEqual([0, 1]);
});

test("an answer is held against each cluster's first member only, and joins the first that matches", async () => {
  // 2 matches 1, which founded cluster 0; 3 matches 2 but not 1; 2.5 would match both 3 and 2.
  expect(await clusterAnswers(["1", "2", "3", "2.5"], relation(isNear), CONTEXT)).toMatchObject({
    clusterIds: [0, 0, 1, 1],
    clusterCount: 2,
    // Of the triples 123, 12 2.5, 13 2.5 and 23 2.5 the second (1-2, 2-2.5) and the first (1-2, 2-3) are broken.
    nonTransitiveShare: 2 / 4,
  });
});

test("the verdicts are handed on with the pair that each is on", async () => {
  const { pairs } = await clusterAnswers(["4", "4.0", "five"], createMathEquivalence(), CONTEXT);
  expect(pairs).toEqual([
    { pair: [0, 1], same: true, rule: "math" },
    { pair: [0, 2], same: false, rule: "exact" },
    { pair: [1, 2], same: false, rule: "exact" },
  ]);
});

test("each pair of different texts is asked once, of all questions in one call", async () => {
  const equivalence = relation(() => false);
  await clusterQuestions(
    [
      { question: "Q1", answers: ["b", "a", "b", "a", null, "c"] },
      { question: "Q2", answers: ["same", "same"] },
      { question: "Q3", answers: ["x", "y"] },
    ],
    equivalence,
  );
  expect(show(equivalence.calls)).toEqual([["Q1 b~a", "Q1 b~c", "Q1 a~c", "Q3 x~y"]]);
  const none = relation(() => false);
  expect(await clusterAnswers([null, null], none, CONTEXT)).toMatchObject({ clusterIds: [0, 0] });
  expect(await clusterAnswers([], none, CONTEXT)).toMatchObject({ clusterIds: [], clusterCount: 0 });
  expect(none.calls).toEqual([]);
});

test("many different answers are compared with the clusters only, with the same outcome", async () => {
  const answers = Array.from({ length: 40 }, (_, i) => String((i * 7) % 40));
  const near = relation(isNear);
  const { clusterIds, nonTransitiveShare: share, pairs } = await clusterAnswers(answers, near, CONTEXT);
  expect(share).toBeNull();
  expect(pairs.length).toBe(near.calls.flat().length);
  expect(pairs.length).toBeLessThan((40 * 39) / 2);
  const founders: string[] = [];
  const expected = answers.map((answer) => {
    const found = founders.findIndex((founder) => isNear(founder, answer));
    return found === -1 ? founders.push(answer) - 1 : found;
  });
  expect(clusterIds).toEqual(expected);
});

test.each<Clustering>(["components", "spectral"])(
  "%s compares all pairs, however many",
  async (clustering) => {
    const answers = Array.from({ length: 40 }, (_, i) => String(i % 2 === 0 ? i : i - 1000));
    const near = relation((a, b) => Number(a) < 0 === Number(b) < 0);
    const clusters = await clusterAnswers(answers, near, { ...CONTEXT, clustering });
    expect(clusters.pairs.length).toBe((40 * 39) / 2);
    expect(clusters).toMatchObject({ clusterCount: 2, nonTransitiveShare: 0, orderSensitivity: null });
    expect(clusters.clusterIds).toEqual(answers.map((_, i) => i % 2));
  },
);

describe("three ways from the same verdicts to groups", () => {
  // a and b entail each other, and so do b and c; a and c do not.
  const table = createTableEntailer({
    ...{ "a > b": [0.9, 0.05, 0.05], "b > a": [0.9, 0.05, 0.05], "b > c": [0.9, 0.05, 0.05] },
    ...{ "c > b": [0.9, 0.05, 0.05], "a > c": [0.4, 0.5, 0.1], "c > a": [0.4, 0.5, 0.1] },
    ...{ "d > a": [0.02, 0.9, 0.08], "a > d": [0.02, 0.9, 0.08] },
  });
  const group = async (answers: readonly string[], clustering: Clustering): Promise<readonly number[]> =>
    (await clusterAnswers(answers, createNliEquivalence(table), { ...CONTEXT, clustering })).clusterIds;

  test("greedy depends on the order", async () => {
    expect(await group(["a", "b", "c", "d"], "greedy")).toEqual([0, 0, 1, 2]);
    expect(await group(["b", "a", "c", "d"], "greedy")).toEqual([0, 0, 0, 1]);
  });

  test("components joins what a chain connects", async () => {
    expect(await group(["a", "b", "c", "d"], "components")).toEqual([0, 0, 0, 1]);
    expect(await group(["a", "c", "d", "b"], "components")).toEqual([0, 0, 1, 0]);
  });

  test("spectral goes by how likely entailment is", async () => {
    expect(await group(["a", "b", "c", "d"], "spectral")).toEqual([0, 0, 0, 1]);
    expect(await group(["c", "d", "a", "b"], "spectral")).toEqual([0, 1, 0, 0]);
  });
});

test("an aborted signal reaches the relation", async () => {
  const options = { ...CONTEXT, signal: AbortSignal.abort(new Error("enough")) };
  await expect(clusterAnswers(["a", "b"], relation(isNear), options)).rejects.toThrow("enough");
});

test("with a transitive relation the clusters do not depend on the samples' order", async () => {
  const parity = relation((a, b) => Number(a) % 4 === Number(b) % 4);
  const answers = fc.array(fc.integer({ min: 0, max: 15 }).map(String), { minLength: 1, maxLength: 12 });
  const shuffled = answers.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list.keys()], { minLength: list.length })),
  );
  for (const clustering of ["greedy", "components", "spectral"] as const)
    await fc.assert(
      fc.asyncProperty(shuffled, async ([list, order]) => {
        const options = { ...CONTEXT, clustering };
        const { clusterIds, nonTransitiveShare: share } = await clusterAnswers(list, parity, options);
        const reordered = order.map((i) => list[i] as string);
        const other = await clusterAnswers(reordered, parity, options);
        expect(share).toBe(0);
        for (const [a, i] of order.entries())
          for (const [b, j] of order.entries()) {
            expect(other.clusterIds[a] === other.clusterIds[b]).toBe(clusterIds[i] === clusterIds[j]);
            const together = Number(list[i]) % 4 === Number(list[j]) % 4;
            expect(clusterIds[i] === clusterIds[j]).toBe(together);
          }
      }),
      { seed: 1, numRuns: 30 },
    );
});

test("share of broken triples", () => {
  const chain = (i: number, j: number): boolean => Math.abs(i - j) === 1;
  expect(nonTransitiveShare(2, () => true)).toBe(0);
  expect(nonTransitiveShare(3, chain)).toBe(1);
  expect(nonTransitiveShare(4, chain)).toBe(2 / 4);
  expect(nonTransitiveShare(5, () => true)).toBe(0);
});
