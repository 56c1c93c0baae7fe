import { expect, test } from "vitest";
import { clusterAnswers } from "./cluster-answers.ts";
import type { Equivalence } from "./equivalence.ts";
import { measureOrderSensitivity } from "./order-sensitivity.ts";

/** The middle one of three is like both others, which are not like each other. */
const chain = (i: number, j: number): boolean => Math.abs(i - j) === 1;

test("worked by hand: a chain of three", () => {
  // In the middle first: one group. An end first: it and the middle, then the other end alone.
  expect(measureOrderSensitivity({ samplesOf: [1, 1, 1], unanswered: 0 }, chain, "")).toEqual({
    orders: 6,
    exhaustive: true,
    minEntropy: 0,
    maxEntropy: expect.closeTo(Math.log(3) - (2 / 3) * Math.log(2), 14),
    minClusters: 1,
    maxClusters: 2,
  });
  // With 1, 1 and 2 samples and one without an answer: {4, 1}, {2, 2, 1} or {1, 3, 1} of five.
  const H = (...sizes: number[]): number => -sizes.reduce((sum, c) => sum + (c / 5) * Math.log(c / 5), 0);
  expect(measureOrderSensitivity({ samplesOf: [1, 1, 2], unanswered: 1 }, chain, "")).toMatchObject({
    minEntropy: expect.closeTo(H(4, 1), 14),
    maxEntropy: expect.closeTo(H(2, 2, 1), 14),
    minClusters: 2,
    maxClusters: 3,
  });
});

test("too many orders are drawn at random, the same each time, the samples' own among them", () => {
  const counts = { samplesOf: Array.from({ length: 9 }, () => 1), unanswered: 0 };
  const first = measureOrderSensitivity(counts, chain, "a");
  expect(first).toMatchObject({ orders: 200, exhaustive: false });
  expect(measureOrderSensitivity(counts, chain, "a")).toEqual(first);
  expect(first.minClusters).toBeLessThan(first.maxClusters);
});

test("it stands beside greedy clusters of a relation that is not transitive, and nowhere else", async () => {
  const near: Equivalence = {
    name: "near",
    provenance: null,
    compare: async (pairs) =>
      pairs.map(({ first, second }) => ({
        same: Math.abs(Number(first) - Number(second)) <= 1,
        rule: "custom",
      })),
  };
  const cluster = (
    answers: string[],
    clustering: "greedy" | "components",
  ): ReturnType<typeof clusterAnswers> => clusterAnswers(answers, near, { question: "?", clustering });
  expect((await cluster(["1", "2", "3"], "greedy")).orderSensitivity).toMatchObject({
    minClusters: 1,
    maxClusters: 2,
  });
  expect((await cluster(["1", "2", "8"], "greedy")).orderSensitivity).toBeNull();
  expect((await cluster(["1", "2", "3"], "components")).orderSensitivity).toBeNull();
});
