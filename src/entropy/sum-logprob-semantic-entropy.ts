import { entropy } from "../math/entropy.ts";
import { clusterProbs } from "./cluster-probs.ts";

/**
 * Semantic entropy weighted by whole-sequence probabilities, p(answer) = exp(sum of its token log-probabilities).
 * Long answers weigh next to nothing beside short ones, which length normalisation is there to mend.
 * @param clusterIds  [K] cluster of each sample, from 0 to C - 1
 * @param sumLogprobs [K] summed token log-probabilities of each sample, nats
 * @returns nats, in [0, ln K]
 * @throws RangeError as `semanticEntropy`
 * @see Kuhn et al. 2023, section 3.3 (without length normalisation)
 */
export function sumLogprobSemanticEntropy(
  clusterIds: readonly number[],
  sumLogprobs: readonly number[],
): number {
  return entropy(clusterProbs(clusterIds, sumLogprobs));
}
