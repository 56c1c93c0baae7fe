import { sumLogprobSemanticEntropy } from "./sum-logprob-semantic-entropy.ts";

/**
 * Entropy over the samples themselves, each a meaning of its own: of their whole-sequence probabilities, normalised.
 * @param sumLogprobs [K] log-probability of each whole sample, nats
 * @returns nats, in [0, ln K]
 * @throws RangeError if K = 0 or no sample has a probability
 * @see `lexical_entropy` of the original notebook
 */
export function lexicalEntropy(sumLogprobs: readonly number[]): number {
  return sumLogprobSemanticEntropy([...sumLogprobs.keys()], sumLogprobs);
}
