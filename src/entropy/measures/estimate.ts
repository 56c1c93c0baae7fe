import { mean } from "../../math/vector.ts";
import type { EntailmentProbs } from "../../meaning/entailer.ts";
import type { Samples } from "../../samples/samples.ts";
import { splitSentences } from "../../text/find-sentences.ts";
import type { AffinityMatrix, EntailmentMatrix, QuestionSamples } from "../question-samples.ts";
import type { SeModeName } from "../se-mode.ts";
import { verbalisedConfidence } from "../state-measures.ts";
import { likeliestSample } from "../token-measures.ts";

/** What an estimate needs besides the samples' texts and clusters, in words. */
export const ESTIMATE_NEEDS = {
  sequence_logprobs: "log-probabilities of whole answers",
  mean_logprobs: "log-probabilities and token counts of answers",
  token_logprobs: "token log-probabilities",
  token_entropies: "token entropies",
  reasoning: "token entropies of the reasoning",
  answer_tokens: "token entropies after the reasoning",
  best_logprobs: "a best answer with token log-probabilities",
  best_entropies: "a best answer with token entropies",
  entailment: "an NLI model's verdicts on all pairs of answers",
  similarity: "embedding similarities of all pairs of answers",
  main_answer: "a best answer among the samples, or log-probabilities",
  sentence_verdicts: "an NLI model's verdicts on the sentences of the answer",
  hidden_states: "hidden states of the answers",
  stated_confidence: "a confidence stated in the answers",
  language_model: "a language model to ask whether the answer is true (--p-true-model)",
} as const;

export type EstimateNeed = keyof typeof ESTIMATE_NEEDS;

/** An uncertainty measure: one number per question, higher for more uncertain. */
export interface Estimate {
  /** Its key in the semantic entropy file. */
  readonly name: string;
  readonly title: string;
  readonly formula: string;
  /** Besides texts and clusters, which are always there. */
  readonly needs: readonly EstimateNeed[];
  readonly range: string;
  /** How the published number comes from this one: it is the same, minus it, or 1 minus it. */
  readonly published: "same" | "minus" | "one-minus";
  readonly source: string;
  /** The reference implementation that its tests compare it with. */
  readonly checkedAgainst: string;
  /**
   * @throws RangeError if the samples lack what it needs
   * @internal
   */
  compute(samples: QuestionSamples, mode: SeModeName): number;
}

/** The data behind each need. */
interface Findings {
  /** [K] */
  readonly sequence_logprobs: readonly number[];
  /** [K] */
  readonly mean_logprobs: readonly number[];
  /** [K][T_i] */
  readonly token_logprobs: readonly (readonly number[])[];
  /** [K][T_i] */
  readonly token_entropies: readonly (readonly number[])[];
  /** [K][..] at least one each. */
  readonly reasoning: readonly (readonly number[])[];
  /** [K][..] at least one each. */
  readonly answer_tokens: readonly (readonly number[])[];
  /** [T] */
  readonly best_logprobs: readonly number[];
  /** [T] */
  readonly best_entropies: readonly number[];
  /** [K][K] */
  readonly entailment: EntailmentMatrix;
  /** [K, K] */
  readonly similarity: AffinityMatrix;
  /** Index of a sample. */
  readonly main_answer: number;
  /** [S][K - 1] */
  readonly sentence_verdicts: readonly (readonly EntailmentProbs[])[];
  /** [K][D] */
  readonly hidden_states: readonly ArrayLike<number>[];
  /** In [0, 1]. */
  readonly stated_confidence: number;
  /** ln of a probability. */
  readonly language_model: number;
}

const FINDERS: { readonly [Need in EstimateNeed]: (samples: QuestionSamples) => Findings[Need] | null } = {
  sequence_logprobs: (samples) => samples.sumLogprobs,
  mean_logprobs: findMeanLogprobs,
  token_logprobs: (samples) => samples.tokenLogprobs,
  token_entropies: (samples) => samples.tokenEntropies,
  reasoning: (samples) => spanEntropies(samples, (entropies, span) => (span ? entropies.slice(...span) : [])),
  // the reasoning's last token is the closing tag
  answer_tokens: (samples) =>
    spanEntropies(samples, (entropies, span) => (span ? entropies.slice(span[1] + 1) : entropies)),
  best_logprobs: (samples) => samples.best?.tokenLogprobs ?? null,
  best_entropies: (samples) => samples.best?.tokenEntropies ?? null,
  entailment: (samples) => samples.entailment,
  similarity: (samples) => samples.similarity,
  main_answer: findMainAnswer,
  sentence_verdicts: findSentenceVerdicts,
  hidden_states: (samples) => samples.hiddenStates,
  stated_confidence: findStatedConfidence,
  language_model: (samples) => samples.logPTrue,
};

/**
 * @returns what the need stands for
 * @throws RangeError if it is missing
 */
export function known<Need extends EstimateNeed>(samples: QuestionSamples, need: Need): Findings[Need] {
  const found = FINDERS[need](samples);
  if (found === null) throw new RangeError(`question ${samples.id} lacks ${ESTIMATE_NEEDS[need]}`);
  return found;
}

/** @returns the first of the needs that is missing, or null */
export function findMissing(samples: QuestionSamples, needs: readonly EstimateNeed[]): EstimateNeed | null {
  return needs.find((need) => FINDERS[need](samples) === null) ?? null;
}

/** [K] mean log-probability of each answer's tokens. */
function findMeanLogprobs({ sumLogprobs, tokenCounts }: Samples): number[] | null {
  if (sumLogprobs === null || tokenCounts === null || tokenCounts.includes(0)) return null;
  return sumLogprobs.map((sum, i) => sum / tokenCounts[i]!);
}

/** [K][..] a part of each answer's token entropies; null if one has none. */
function spanEntropies(
  { tokenEntropies, thinkSpans }: Samples,
  cut: (entropies: readonly number[], span: readonly [number, number] | null) => readonly number[],
): (readonly number[])[] | null {
  if (tokenEntropies === null || thinkSpans === null) return null;
  const parts = tokenEntropies.map((entropies, i) => cut(entropies, thinkSpans[i]!));
  return parts.some((part) => part.length === 0) ? null : parts;
}

/** Index of the sample that stands for the model's answer: the one that says what the best answer says, else the likeliest. */
export function findMainAnswer({ best, texts, sumLogprobs }: Samples): number | null {
  if (best !== null) {
    const at = texts.indexOf(best.text);
    return at === -1 ? null : at;
  }
  return sumLogprobs === null ? null : likeliestSample(sumLogprobs);
}

/** For an answer of one sentence, the verdicts on whole answers suffice. */
function findSentenceVerdicts(samples: QuestionSamples): readonly (readonly EntailmentProbs[])[] | null {
  if (samples.sentenceVerdicts !== null) return samples.sentenceVerdicts;
  const main = findMainAnswer(samples);
  if (main === null || samples.entailment === null) return null;
  if (splitSentences(samples.texts[main]!).length > 1) return null;
  return [samples.entailment[main]!.filter((_, sample) => sample !== main)];
}

/** The mean of the confidences that the samples state; null if none does. */
function findStatedConfidence({ texts, best }: Samples): number | null {
  const stated = (best === null ? texts : [best.text])
    .map(verbalisedConfidence)
    .filter((confidence) => confidence !== null);
  return stated.length === 0 ? null : mean(stated);
}
