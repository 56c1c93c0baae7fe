import { eigenScore } from "../state-measures.ts";
import { type Estimate, known } from "./estimate.ts";

/** Estimates from the model itself: its hidden states, its stated confidence, its judgement of its answer. */
export const STATE_ESTIMATES: readonly Estimate[] = [
  {
    name: "eigen_score",
    title: "EigenScore",
    formula: "mean_k ln lambda_k of Z J Z' + 0.001 I",
    needs: ["hidden_states"],
    range: "ln 0.001 nats and more",
    published: "same",
    source: "Chen et al. 2024; `EigenScore` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: (samples) => eigenScore(known(samples, "hidden_states")),
  },
  {
    name: "verbalised_doubt",
    title: "Stated confidence",
    formula: "1 - mean of the stated confidences",
    needs: ["stated_confidence"],
    range: "0 to 1",
    published: "one-minus",
    source: "Tian et al. 2023; `Verbalized1S` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: (samples) => 1 - known(samples, "stated_confidence"),
  },
  {
    name: "p_false",
    title: "1 - p(True)",
    formula: '1 - p(A | question, samples, answer, "A) True B) False")',
    needs: ["language_model"],
    range: "0 to 1",
    published: "one-minus",
    source: "Kadavath et al. 2022; `p_false_fixed` of OATML's code",
    checkedAgainst: "formula in Python",
    compute: (samples) => 1 - Math.exp(known(samples, "language_model")),
  },
];
