import fc from "fast-check";
import { expect, test } from "vitest";
import golden from "../../test/golden/semantic-entropy.json" with { type: "json" };
import {
  clusterProbs,
  discreteSemanticEntropy,
  semanticEntropy,
  sumLogprobSemanticEntropy,
} from "./semantic-entropy.ts";
import { meanTokenEntropy, regularEntropy } from "./token-measures.ts";

/** Some ten float64 operations on numbers of order 1, in another order than numpy's. */
const ROUNDING = 1e-12;

test.each(golden.cases.map((each, i) => [i, each] as const))("golden case %d", (_i, each) => {
  const close = (got: number, expected: number): void =>
    expect(Math.abs(got - expected), `${got} against ${expected}`).toBeLessThanOrEqual(ROUNDING);
  const probs = clusterProbs(each.cluster_ids, each.mean_logprobs);
  expect(probs.length).toBe(each.cluster_probs.length);
  for (const [c, p] of probs.entries()) close(p, each.cluster_probs[c] as number);
  close(semanticEntropy(each.cluster_ids, each.mean_logprobs), each.semantic_entropy);
  close(sumLogprobSemanticEntropy(each.cluster_ids, each.sum_logprobs), each.sum_logprob_semantic_entropy);
  close(discreteSemanticEntropy(each.cluster_ids), each.discrete_semantic_entropy);
  close(regularEntropy(each.mean_logprobs), each.regular_entropy);
});

test("worked by hand: two of four samples agree", () => {
  // Shares 1/2, 1/4, 1/4; 15 digits: one rounding a term.
  expect(discreteSemanticEntropy([0, 1, 0, 2])).toBeCloseTo(1.5 * Math.LN2, 15);
  // Weights e^0 = 1 and e^ln3 = 3: shares 1/4 and 3/4.
  const expected = 0.25 * Math.log(4) + 0.75 * Math.log(4 / 3);
  expect(semanticEntropy([0, 1], [0, Math.log(3)])).toBeCloseTo(expected, 15);
  expect(regularEntropy([-1, -2])).toBe(1.5);
  expect(meanTokenEntropy([[1, 3], [0], [1, 1, 1]])).toBe(1);
  expect(Object.is(regularEntropy([0]), 0)).toBe(true);
});

const samples = fc
  .array(
    fc.record({ id: fc.integer({ min: 0, max: 5 }), logprob: fc.double({ min: -30, max: 0, noNaN: true }) }),
    {
      minLength: 1,
      maxLength: 20,
    },
  )
  .map((list) => {
    const order = [...new Set(list.map(({ id }) => id))];
    return { ids: list.map(({ id }) => order.indexOf(id)), logprobs: list.map(({ logprob }) => logprob) };
  });

test("0 <= H <= ln C, and the probabilities sum to 1", () => {
  fc.assert(
    fc.property(samples, ({ ids, logprobs }) => {
      const most = Math.log(Math.max(...ids) + 1);
      for (const H of [
        discreteSemanticEntropy(ids),
        semanticEntropy(ids, logprobs),
        sumLogprobSemanticEntropy(
          ids,
          logprobs.map((l) => 30 * l),
        ),
      ]) {
        expect(H).toBeGreaterThanOrEqual(0);
        expect(H).toBeLessThanOrEqual(most);
      }
      const sum = clusterProbs(ids, logprobs).reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - 1)).toBeLessThanOrEqual(ROUNDING);
    }),
    { seed: 1 },
  );
});

test("the samples' order does not matter", () => {
  fc.assert(
    fc.property(samples, fc.infiniteStream(fc.nat()), ({ ids, logprobs }, keys) => {
      const key = ids.map(() => keys.next().value as number);
      const order = [...ids.keys()].sort((a, b) => (key[a] as number) - (key[b] as number));
      const at = <T>(list: readonly T[]): T[] => order.map((i) => list[i] as T);
      const change = semanticEntropy(at(ids), at(logprobs)) - semanticEntropy(ids, logprobs);
      expect(Math.abs(change)).toBeLessThanOrEqual(ROUNDING);
      expect(discreteSemanticEntropy(at(ids))).toBeCloseTo(discreteSemanticEntropy(ids), 12);
    }),
    { seed: 1 },
  );
});

test("one meaning has entropy 0; equal log-probabilities count samples", () => {
  fc.assert(
    fc.property(samples, ({ ids, logprobs }) => {
      const one = ids.map(() => 0);
      expect([discreteSemanticEntropy(one), semanticEntropy(one, logprobs)]).toEqual([0, 0]);
      const level = semanticEntropy(
        ids,
        ids.map(() => logprobs[0] as number),
      );
      expect(Math.abs(level - discreteSemanticEntropy(ids))).toBeLessThanOrEqual(ROUNDING);
    }),
    { seed: 1 },
  );
});

test("log-probabilities far below the smallest float still weigh", () => {
  // Of exp(-5000) and exp(-5001) each is 0 as a float, and their ratio is e.
  const p = Math.E / (1 + Math.E);
  const H = sumLogprobSemanticEntropy([0, 1], [-5000, -5001]);
  expect(H).toBeCloseTo(-p * Math.log(p) - (1 - p) * Math.log(1 - p), 12); // 5000's spacing is 1e-12
  expect(semanticEntropy([0, 1], [-1, -Infinity])).toBe(0);
});

test("misuse is refused", () => {
  for (const ids of [[], [1], [0, 2], [0, -1], [0, 0.5], [0, 9]])
    expect(() => discreteSemanticEntropy(ids)).toThrow(RangeError);
  for (const logprobs of [[], [0], [0, Number.NaN], [-Infinity, -Infinity]])
    expect(() => semanticEntropy([0, 1], logprobs)).toThrow(RangeError);
  expect(() => regularEntropy([])).toThrow(RangeError);
  for (const entropies of [[], [[1], []]]) expect(() => meanTokenEntropy(entropies)).toThrow(RangeError);
});
