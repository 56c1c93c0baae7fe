import { evaluateTransfer } from "../../src/evaluation/evaluate-transfer.ts";
import type { TransferEval } from "../../src/evaluation/transfer-eval.ts";

const NAMES = ["a/math", "b/math", "c/math"];

/** Twelve answers to six questions; the accuracy probe is right at home, the SE probe everywhere but from `a` to `b`. */
export function makeTransfer(): TransferEval {
  const incorrect = Uint8Array.of(0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1);
  const right = Float64Array.from(incorrect, (label, row) => label + row / 100);
  const wrong = right.map((score) => -score);
  const targets = NAMES.map((name, target) => ({
    name,
    questionGroups: Array.from(incorrect, (_, row) => `${name}/q${row >> 1}`),
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
