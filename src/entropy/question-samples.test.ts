import { expect, test } from "vitest";
import { mapPairs, spreadEvidence } from "./question-samples.ts";

const texts = ["a", "b"];
const entailment = mapPairs(2, (i, j) => ({ entailment: i + 0.1 * j, neutral: 0, contradiction: 0.5 }));
const similarity = [
  [0.9, 0.2],
  [0.2, 0.8],
];

test("evidence on different answers goes to the samples that gave them", () => {
  const spread = spreadEvidence(["b", "a", "b", null, null], { texts, entailment, similarity });
  expect(spread.similarity).toEqual([
    [0.8, 0.2, 0.8, 0, 0],
    [0.2, 0.9, 0.2, 0, 0],
    [0.8, 0.2, 0.8, 0, 0],
    [0, 0, 0, 1, 1],
    [0, 0, 0, 1, 1],
  ]);
  expect(spread.entailment?.[0]?.map((probs) => probs.entailment)).toEqual([1.1, 1, 1.1, 0, 0]);
  expect(spread.entailment?.[3]?.map((probs) => probs.contradiction)).toEqual([1, 1, 1, 0, 0]);
});

test("what no model looked at stays unknown; an answer without evidence is an error", () => {
  expect(spreadEvidence(["a"], { texts, entailment: null, similarity: null })).toEqual({
    entailment: null,
    similarity: null,
  });
  expect(() => spreadEvidence(["c"], { texts, entailment, similarity })).toThrow(RangeError);
});
