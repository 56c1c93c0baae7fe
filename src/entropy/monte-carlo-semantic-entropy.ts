import { logSumExp } from "../math/entropy.ts";
import { groupByCluster } from "./group-by-cluster.ts";

/**
 * Semantic entropy by Monte Carlo over samples: the mean over *samples* of -ln of their cluster's probability, which
 * is the sum of the probabilities of the whole sequences in it, not normalised. lm-polygraph's `SemanticEntropy`.
 * A text that was drawn twice counts twice in its cluster's probability.
 * @param clusterIds  [K] cluster of each sample, from 0 to C - 1
 * @param sumLogprobs [K] log-probability of each whole sample, nats
 * @returns nats
 * @throws RangeError if K = 0, the lengths differ, or an id is missing
 * @see Kuhn et al. 2023, equation 5
 */
export function monteCarloSemanticEntropy(
  clusterIds: readonly number[],
  sumLogprobs: readonly number[],
): number {
  const members = groupByCluster(clusterIds, sumLogprobs);
  const total = members.reduce((sum, weights) => sum + weights.length * logSumExp(weights), 0);
  return 0 - total / clusterIds.length;
}
