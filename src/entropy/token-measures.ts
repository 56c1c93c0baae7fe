import { mean } from "../math/vector.ts";
import { sumLogprobSemanticEntropy } from "./semantic-entropy.ts";

/**
 * Mean entropy of the next-token distribution: over each sample's tokens, then over the samples, so that a long
 * sample counts no more than a short one.
 * @param tokenEntropies [K][T_i] nats
 * @returns nats, from 0
 * @throws RangeError if K = 0 or a sample has no tokens
 */
export function meanTokenEntropy(tokenEntropies: readonly (readonly number[])[]): number {
  if (tokenEntropies.length === 0) throw new RangeError("no samples");
  if (tokenEntropies.some((entropies) => entropies.length === 0))
    throw new RangeError("a sample without tokens");
  return mean(tokenEntropies.map(mean));
}

/**
 * Entropy of each sample's most uncertain token, averaged over the samples.
 * @param tokenEntropies [K][T_i] nats
 * @returns nats, from 0
 * @throws RangeError if K = 0 or a sample has no tokens
 * @see Manakul et al. 2023, "Max(H)"
 */
export function maxTokenEntropy(tokenEntropies: readonly (readonly number[])[]): number {
  if (tokenEntropies.length === 0) throw new RangeError("no samples");
  const largest = tokenEntropies.map((entropies) => {
    if (entropies.length === 0) throw new RangeError("a sample without tokens");
    return entropies.reduce((most, value) => Math.max(most, value));
  });
  return mean(largest);
}

/**
 * Regular (predictive) entropy, the Monte Carlo estimate -mean l_i: how unlikely the samples are, whatever they
 * mean.
 * @param meanLogprobs [K] mean token log-probability of each sample, nats
 * @returns nats, from 0 (for log-probabilities of at most 0)
 * @throws RangeError if K = 0
 * @see Kuhn et al. 2023, section 4, "length-normalised predictive entropy"; Malinin and Gales 2021
 */
export function regularEntropy(meanLogprobs: readonly number[]): number {
  if (meanLogprobs.length === 0) throw new RangeError("no samples");
  return 0 - mean(meanLogprobs); // 0 -, so never -0
}

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

/**
 * How improbable the samples are on average: 1 - mean exp(l_i), l_i the mean log-probability of a sample's tokens.
 * @param meanLogprobs [K] nats
 * @returns in [0, 1] for log-probabilities of at most 0
 * @throws RangeError if K = 0
 * @see `monte_carlo_probability` of uqlm, which is 1 minus this
 */
export function monteCarloImprobability(meanLogprobs: readonly number[]): number {
  if (meanLogprobs.length === 0) throw new RangeError("no samples");
  return 1 - meanLogprobs.reduce((sum, value) => sum + Math.exp(value), 0) / meanLogprobs.length;
}

/**
 * Negative log-likelihood of one answer: -sum ln p(token). Maximum sequence probability is exp(-this).
 * @param tokenLogprobs [T] nats
 * @returns nats, from 0
 * @throws RangeError if T = 0
 * @see `MaximumSequenceProbability` of lm-polygraph
 */
export function sequenceNll(tokenLogprobs: readonly number[]): number {
  if (tokenLogprobs.length === 0) throw new RangeError("an answer without tokens");
  return 0 - tokenLogprobs.reduce((sum, value) => sum + value, 0); // 0 -, so never -0
}

/**
 * Logarithm of one answer's perplexity: -mean ln p(token). The perplexity itself is exp(this).
 * @param tokenLogprobs [T] nats
 * @returns nats, from 0
 * @throws RangeError if T = 0
 * @see `Perplexity` of lm-polygraph, which is the logarithm too; Fomicheva et al. 2020
 */
export function logPerplexity(tokenLogprobs: readonly number[]): number {
  return sequenceNll(tokenLogprobs) / tokenLogprobs.length;
}

/**
 * The least probable token of one answer: max -ln p(token).
 * @param tokenLogprobs [T] nats
 * @returns nats, from 0; exp(-this) is the smallest token probability
 * @throws RangeError if T = 0
 * @see Manakul et al. 2023, "Max(-log p)"; `min_probability` of uqlm
 */
export function maxTokenNll(tokenLogprobs: readonly number[]): number {
  if (tokenLogprobs.length === 0) throw new RangeError("an answer without tokens");
  return 0 - tokenLogprobs.reduce((least, value) => Math.min(least, value));
}

/**
 * The sample that the model finds most probable as a whole sequence, the first of ties: it stands for the model's answer
 * if there is no separate best answer.
 * @param sumLogprobs [K] log-probability of each whole sample, nats
 * @returns its index
 * @throws RangeError if K = 0 or a value is NaN
 */
export function likeliestSample(sumLogprobs: readonly number[]): number {
  if (sumLogprobs.length === 0) throw new RangeError("no samples");
  if (sumLogprobs.some(Number.isNaN)) throw new RangeError("a log-probability of NaN");
  return sumLogprobs.indexOf(Math.max(...sumLogprobs));
}
