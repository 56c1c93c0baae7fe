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
