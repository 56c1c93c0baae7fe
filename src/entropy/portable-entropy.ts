/**
 * The entry `semantic-entropy-probes/entropy`, to measure semantic entropy in a browser. Nothing here or below needs Node or a
 * package.
 * @module entropy
 */

import { clusterAnswers } from "../meaning/cluster-answers.ts";
import { createExactEquivalence, createMathEquivalence } from "../meaning/hybrid-equivalence.ts";
import { extractAnswer, extractOpenAnswer } from "../text/extract-answer.ts";
import { isMathematical } from "../text/math-equivalent.ts";
import { clusterProbs, discreteSemanticEntropy, semanticEntropy } from "./semantic-entropy.ts";

export { discreteSemanticEntropy, semanticEntropy };

/** Sampled answers to one question. */
export interface SampledTexts {
  readonly question: string;
  /** [K] without reasoning */
  readonly texts: readonly string[];
  /** [K] mean token log-probability of each, nats */
  readonly meanLogprobs: readonly number[];
}

/** What sampled answers mean, and how far they disagree. */
export interface SampledMeanings {
  /** The rule that decided which answers mean the same. */
  readonly equivalence: "math" | "exact";
  /** [K] the answer in each text; null where none was found. */
  readonly answers: readonly (string | null)[];
  /** [K] meaning of each, from 0, in order of first appearance. */
  readonly clusterIds: readonly number[];
  /** [C] probability of each meaning, weighted by the samples' length-normalised probabilities. */
  readonly probabilities: readonly number[];
  /** Weighted in the same way, nats, in [0, ln K]. */
  readonly semanticEntropy: number;
  /** By the share of samples in each meaning, nats, in [0, ln K]. */
  readonly discreteSemanticEntropy: number;
}

/**
 * Semantic entropy without a model of meaning: answers are compared as mathematics where most of them are numbers or
 * expressions, and else by their words, without case, punctuation and articles.
 * @throws RangeError for no samples
 * @see Farquhar et al. 2024, Methods
 */
export async function measureMeanings({
  question,
  texts,
  meanLogprobs,
}: SampledTexts): Promise<SampledMeanings> {
  const open = texts.map((text) => extractOpenAnswer(text)?.answer ?? null);
  const found = open.filter((answer) => answer !== null);
  const isMath = 2 * found.filter(isMathematical).length >= found.length;
  const answers = isMath ? texts.map((text) => extractAnswer(text)?.answer ?? null) : open;
  const equivalence = isMath ? createMathEquivalence() : createExactEquivalence();
  const { clusterIds } = await clusterAnswers(answers, equivalence, { question });
  return {
    equivalence: isMath ? "math" : "exact",
    answers,
    clusterIds,
    probabilities: clusterProbs(clusterIds, meanLogprobs),
    semanticEntropy: semanticEntropy(clusterIds, meanLogprobs),
    discreteSemanticEntropy: discreteSemanticEntropy(clusterIds),
  };
}
