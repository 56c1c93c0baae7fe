/** What the model's own distribution (temperature 1, full vocabulary, no filter) says at one token. */
export interface TokenStatistics {
  /** ln p(token), nats, <= 0. */
  readonly logprob: number;
  /** Entropy of the distribution the token came from, nats, in [0, ln V]. */
  readonly entropy: number;
}

/**
 * Log-probability of a token and entropy of its distribution, from raw logits.
 * @param logits [V]
 */
export function tokenStatistics(logits: Float32Array, tokenId: number): TokenStatistics {
  let highest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) highest = Math.max(highest, logits[id] as number);
  let total = 0;
  let weighted = 0;
  for (let id = 0; id < logits.length; id++) {
    const shifted = (logits[id] as number) - highest;
    const weight = Math.exp(shifted);
    total += weight;
    weighted += weight * shifted;
  }
  const logTotal = Math.log(total);
  return {
    logprob: (logits[tokenId] as number) - highest - logTotal,
    // rounding can leave -1e-17 where one token has all the probability
    entropy: Math.max(0, logTotal - weighted / total),
  };
}
