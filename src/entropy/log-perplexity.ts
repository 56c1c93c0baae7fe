import { sequenceNll } from "./sequence-nll.ts";

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
