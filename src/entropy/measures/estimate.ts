import type { QuestionSamples } from "../question-samples.ts";
import type { SeModeName } from "../se-mode.ts";

/** What an estimate needs beside the samples' texts and clusters, and how people call it. */
export const ESTIMATE_NEEDS = {
  sequence_logprobs: "log-probabilities of whole answers",
  mean_logprobs: "log-probabilities and token counts of answers",
  token_logprobs: "log-probabilities of tokens",
  token_entropies: "entropies of tokens",
  reasoning: "entropies of the reasoning's tokens",
  answer_tokens: "entropies of the tokens after the reasoning",
  best_logprobs: "a best answer with log-probabilities of its tokens",
  best_entropies: "a best answer with entropies of its tokens",
  entailment: "an NLI model's verdicts on all pairs of answers",
  similarity: "similarities of all pairs of answers",
  main_answer: "a best answer that is among the samples, or log-probabilities",
  sentence_verdicts: "an NLI model's verdicts on the answer's sentences",
  hidden_states: "hidden states of the answers",
  stated_confidence: "a confidence that the answers state",
  language_model: "a language model that judges the answer",
} as const;

export type EstimateNeed = keyof typeof ESTIMATE_NEEDS;

/** One measure of uncertainty: a number a question, higher for more uncertain. */
export interface Estimate {
  /** Its key in the semantic entropy file. */
  readonly name: string;
  readonly title: string;
  readonly formula: string;
  /** Beside texts and clusters, which are always there. */
  readonly needs: readonly EstimateNeed[];
  readonly range: string;
  /** How the published number comes from this one: it is the same, minus it, or 1 minus it. */
  readonly published: "same" | "minus" | "one-minus";
  readonly source: string;
  /** The reference implementation that its tests hold it against. */
  readonly checkedAgainst: string;
  /** @throws RangeError if the samples have not what it needs */
  compute(samples: QuestionSamples, mode: SeModeName): number;
}
