import { mean } from "../math/vector.ts";

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
