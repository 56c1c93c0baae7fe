import type { ScoreName } from "../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../evaluation/probe-eval.ts";

/** How each split is called in running text. */
export const SPLIT_TITLES: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "Validation",
  math_test: "Test",
  ood_test: "Other questions (out of distribution)",
};

/** The same in a title that stands alone. */
export const SPLIT_QUESTIONS: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "validation questions",
  math_test: "test questions",
  ood_test: "out-of-distribution questions",
};

/** How each score is called in running text. */
export const SCORE_TITLES: Readonly<Record<ScoreName, string>> = {
  accuracy_probe: "Accuracy probe",
  se_probe: "SE probe",
  entropy_baseline: "Entropy baseline",
  semantic_entropy: "Semantic entropy itself",
  discrete_semantic_entropy: "Discrete semantic entropy",
};
