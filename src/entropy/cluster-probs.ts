import { logSumExp } from "../math/entropy.ts";
import { groupByCluster } from "./group-by-cluster.ts";

/**
 * The probability of each meaning: the share of its samples' weights exp(l_i) in all samples' weights.
 * @param clusterIds [K] cluster of each sample, from 0 to C - 1, each at least once
 * @param logWeights [K] nats; zeros count samples, log-probabilities weigh them
 * @returns [C], summing to 1
 * @throws RangeError if K = 0, the lengths differ, an id is missing, or every weight is 0
 * @see Farquhar et al. 2024, Methods, "Computing the semantic entropy"
 */
export function clusterProbs(clusterIds: readonly number[], logWeights: readonly number[]): number[] {
  const members = groupByCluster(clusterIds, logWeights);
  const total = logSumExp(logWeights);
  if (total === -Infinity) throw new RangeError("every sample has probability 0");
  const probs = members.map((weights) => Math.exp(logSumExp(weights) - total));
  const sum = probs.reduce((a, b) => a + b, 0);
  return probs.map((p) => p / sum); // takes away the rounding of exp and log
}
