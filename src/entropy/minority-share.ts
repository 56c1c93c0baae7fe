import { groupByCluster } from "./group-by-cluster.ts";

/**
 * Share of the samples outside of the largest cluster: what a majority vote would leave out.
 * @param clusterIds [K] cluster of each sample, from 0 to C - 1
 * @returns in [0, 1 - 1 / K]
 * @throws RangeError if K = 0 or an id is missing
 * @see `LabelProb` of lm-polygraph; Wang et al. 2023, "Self-consistency"
 */
export function minorityShare(clusterIds: readonly number[]): number {
  const sizes = groupByCluster(clusterIds, clusterIds).map((members) => members.length);
  return 1 - Math.max(...sizes) / clusterIds.length;
}
