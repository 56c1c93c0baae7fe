import { entropy } from "../math/entropy.ts";
import { clusterProbs } from "./cluster-probs.ts";

/**
 * Discrete semantic entropy: -sum (n_c / K) ln (n_c / K) over the meaning clusters, n_c samples in each. The
 * target of the SE probe; needs no log-probabilities.
 * @param clusterIds [K] cluster of each sample, from 0 to C - 1
 * @returns nats, in [0, ln K]
 * @throws RangeError if K = 0 or an id is missing
 * @see Farquhar et al. 2024, Methods, "Discrete semantic entropy"
 */
export function discreteSemanticEntropy(clusterIds: readonly number[]): number {
  return entropy(
    clusterProbs(
      clusterIds,
      clusterIds.map(() => 0),
    ),
  );
}
