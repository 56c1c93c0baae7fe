import { logSumExp } from "../math/entropy.ts";
import { groupByCluster } from "./group-by-cluster.ts";

/** How a cluster's weight comes from its samples' log weights w_i: the names of OATML's code. */
export type ClusterAggregate =
  /** ln sum exp w_i - 5: not normalised; the constant makes up for it, see below. */
  | "sum"
  /** ln of the share of all samples' weights. */
  | "sum_normalized"
  /** ln mean exp w_i: a large cluster weighs no more than a small one. */
  | "mean";

/**
 * Semantic entropy as first published: the mean over *clusters*, each counted once, of -ln of the cluster's weight.
 * Kuhn et al.'s code and OATML's `semantic_entropy` are its "sum", over mean token log-probabilities, and with
 * `_sum` over those of whole sequences. "sum" is not an entropy: its weights do not sum to 1.
 * @param clusterIds [K] cluster of each sample, from 0 to C - 1
 * @param logWeights [K] log-probability of each sample, mean over its tokens or sum, nats
 * @returns nats; from 0 for "sum_normalized", and at least minus the largest weight for "mean"
 * @throws RangeError if K = 0, the lengths differ, or an id is missing
 * @see Kuhn et al. 2023, section 4; `predictive_entropy_over_concepts` and `llh_shift` in their code;
 *   `logsumexp_by_id` and `predictive_entropy` in OATML/semantic-entropy-probes
 */
export function meanClusterSurprisal(
  clusterIds: readonly number[],
  logWeights: readonly number[],
  aggregate: ClusterAggregate,
): number {
  const members = groupByCluster(clusterIds, logWeights);
  const total = logSumExp(logWeights);
  const logOf = (weights: readonly number[]): number => {
    const sum = logSumExp(weights);
    if (aggregate === "sum") return sum - SHIFT;
    return sum - (aggregate === "sum_normalized" ? total : Math.log(weights.length));
  };
  return 0 - members.reduce((sum, weights) => sum + logOf(weights), 0) / members.length; // 0 -, so never -0
}

/** Kuhn et al. chose it so that sums of length-normalised probabilities, which can exceed 1, have a logarithm below 0. */
const SHIFT = 5;
