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
