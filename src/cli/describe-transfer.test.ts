import { expect, it } from "vitest";
import { evaluateTransfer } from "../evaluation/evaluate-transfer.ts";
import type { TransferEval } from "../evaluation/transfer-eval.ts";
import { describeTransfer } from "./describe-transfer.ts";

const NAMES = ["a/math", "b/math", "c/math"];

/** Twelve answers to six questions; the accuracy probe is right at home, the SE probe everywhere but from `a` to `b`. */
function makeTransfer(): TransferEval {
  const incorrect = Uint8Array.of(0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1);
  const questionIds = Array.from(incorrect, (_, row) => `q${row >> 1}`);
  const right = Float64Array.from(incorrect, (label, row) => label + row / 100);
  const wrong = right.map((score) => -score);
  const targets = NAMES.map((name, target) => ({
    name,
    questionIds,
    incorrect,
    untrained: { semantic_entropy: right, discrete_semantic_entropy: right, mean_think_entropy: wrong },
    bySource: NAMES.map((_, source) => ({
      se_probe: source === 0 && target === 1 ? wrong : right,
      accuracy_probe: source === target ? right : wrong,
    })),
    leaveOneOut: { se_probe: right, accuracy_probe: target === 2 ? null : right },
  }));
  return {
    datasets: NAMES.map((name) => ({
      name,
      workspace: `/${name}`,
      set: "math",
      train_questions: 14,
      train_rows: 28,
      test_questions: 6,
      test_rows: 12,
      test_incorrect_share: 0.5,
    })),
    position: "think-end",
    training: { se_probe: [], accuracy_probe: [] },
    ...evaluateTransfer(targets, { resamples: 40, permutations: 19 }),
    source: {},
    settings: { seed: 42, resamples: 40, permutations: 19 },
    warnings: [{ code: "few-questions", message: "a/math: 6 test questions" }],
  };
}

it("shows a matrix a probe, the scores that need no training, and the means", () => {
  const transfer = makeTransfer();
  const lines = describeTransfer(transfer, (_style, text) => text).split("\n");
  const compact = lines.map((line) => line.trim().replace(/ +/g, " "));
  expect(compact).toContain("1 a/math: 14 training questions, 6 test questions, 50% of answers wrong");
  const accuracy = compact.indexOf("Accuracy probe: AUROC for wrong answers");
  expect(compact.slice(accuracy + 2, accuracy + 6)).toEqual([
    "1 1.000 0.000 0.000",
    "2 0.000 1.000 0.000",
    "3 0.000 0.000 1.000",
    "all but the target 1.000 1.000 none",
  ]);
  const se = compact.indexOf("SE probe: AUROC for wrong answers");
  expect(compact.slice(se + 2, se + 9)).toEqual([
    "1 1.000 0.000 1.000",
    "2 1.000 1.000 1.000",
    "3 1.000 1.000 1.000",
    "all but the target 1.000 1.000 1.000",
    "(semantic entropy) 1.000 1.000 1.000",
    "(discrete semantic entropy) 1.000 1.000 1.000",
    "(mean think entropy) 0.000 0.000 0.000",
  ]);
  expect(compact).toContain("in distribution 1.000 1.000 +0.000 +0.000 to +0.000");
  // The mean over targets of the mean over the two other sources: 1, 1/2 and 1 against 0.
  expect(compact.find((line) => line.startsWith("from another data set"))).toMatch(
    /^from another data set 0\.833 0\.000 \+0\.833/,
  );
  expect(compact).toContain("from all other data sets none");
  expect(compact.at(-1)).toBe("a/math: 6 test questions [few-questions]");
});

it("corrects all paired tests of the file together", () => {
  const { matrix, leave_one_out: pooled } = makeTransfer();
  const tested = [...matrix, ...pooled].flatMap(({ difference }) => difference ?? []);
  expect(tested).toHaveLength(11);
  const least = tested.reduce((low, own) => (own.p_value! < low.p_value! ? own : low));
  expect(least.p_value_holm).toBeCloseTo(Math.min(1, 11 * least.p_value!), 12); // one product
});
