import { expect, it } from "vitest";
import { countEntropies, findConsistentlyWrong } from "./consistently-wrong.ts";

/** [question, wrong, entropy, high, accuracy probe] a row */
const ROWS = [
  ["sure and wrong", 1, 0, 0, 0.9],
  ["sure and wrong", 1, 0, 0, 0.7],
  ["sure and wrong", 1, 0, 0, Number.NaN],
  ["half wrong", 1, 0.2, 0, 0.5],
  ["half wrong", 0, 0.2, 0, 0.4],
  ["mostly wrong", 1, 0.3, 0, 0.6],
  ["mostly wrong", 1, 0.3, 0, 0.6],
  ["mostly wrong", 0, 0.3, 0, 0.3],
  ["unsure and wrong", 1, 1, 1, 0.1],
  ["sure and right", 0, 0, 0, 0.2],
  ["not known", 1, Number.NaN, 0, 0.9],
] as const;

const SPLIT = {
  questionIds: ROWS.map(([question]) => question),
  questionGroups: ROWS.map(([question]) => question),
  incorrect: Uint8Array.from(ROWS, ([, wrong]) => wrong),
  highSemanticEntropy: Uint8Array.from(ROWS, ([, , , high]) => high),
  byName: {
    discrete_semantic_entropy: Float64Array.from(ROWS, ([, , entropy]) => entropy),
    accuracy_probe: Float64Array.from(ROWS, ([, , , , probe]) => probe),
  },
};

it("lists questions of low entropy with more than half of their answers wrong, lowest entropy first", () => {
  const answers = new Map([["sure and wrong", { answer: "41", cluster_share: 1 }]]);
  const found = findConsistentlyWrong(SPLIT, answers, { resamples: 20, permutations: 19 });
  expect(found).toMatchObject({
    low_entropy_questions: 4,
    question_count: 2,
    single_cluster_count: 1,
    low_entropy_incorrect_rows: 6,
    incorrect_rows: 7,
  });
  expect(found.questions).toEqual([
    {
      question_id: "sure and wrong",
      discrete_semantic_entropy: 0,
      answer: "41",
      cluster_share: 1,
      row_count: 3,
      incorrect_count: 3,
      accuracy_probe: 0.8,
    },
    {
      question_id: "mostly wrong",
      discrete_semantic_entropy: 0.3,
      answer: null,
      cluster_share: null,
      row_count: 3,
      incorrect_count: 2,
      accuracy_probe: 0.5,
    },
  ]);
  // Of the rows of low entropy with a score, every wrong one is above every right one.
  expect(found.accuracy_probe).toMatchObject({ auc: 1, row_count: 8, positive_count: 5 });
});

it("spreads questions over bins", () => {
  const bins = countEntropies(SPLIT.byName.discrete_semantic_entropy, SPLIT.incorrect, SPLIT.questionIds);
  expect(bins).toHaveLength(20);
  expect(bins[0]).toEqual({ low: 0, high: 0.05, question_count: 2, mostly_wrong_count: 1 });
  expect(bins.at(-1)).toMatchObject({ question_count: 1, mostly_wrong_count: 1 });
  expect(bins.reduce((sum, bin) => sum + bin.question_count, 0)).toBe(5);
  expect(countEntropies(Float64Array.of(Number.NaN), Uint8Array.of(1), ["a"])).toEqual([]);
});
