import { entropy } from "../math/entropy.ts";
import { clusterProbs } from "./cluster-probs.ts";

/**
 * Semantic entropy with length-normalised weights: ln p_c = LSE_{i in c} l_i - LSE_i l_i, then -sum p_c ln p_c.
 * @param clusterIds   [K] cluster of each sample, from 0 to C - 1
 * @param meanLogprobs [K] mean token log-probability of each sample, nats
 * @returns nats, in [0, ln K]
 * @throws RangeError if K = 0, the lengths differ, an id is missing, or no sample has a probability
 * @see Farquhar et al. 2024, Methods, equations 3 to 5
 */
export function semanticEntropy(clusterIds: readonly number[], meanLogprobs: readonly number[]): number {
  return entropy(clusterProbs(clusterIds, meanLogprobs));
}
