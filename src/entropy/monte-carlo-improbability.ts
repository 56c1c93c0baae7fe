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
