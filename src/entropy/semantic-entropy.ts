import { entropy, logSumExp } from "../math/entropy.ts";

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

/**
 * Semantic entropy weighted by whole-sequence probabilities, p(answer) = exp(sum of its token log-probabilities).
 * Long answers have almost no weight next to short ones, which length normalisation corrects.
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

/** How a cluster's weight comes from its samples' log weights w_i: the names of OATML's code. */
type ClusterAggregate =
  /** ln sum exp w_i - 5: not normalised, which the constant compensates; see below. */
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

/** Kuhn et al.'s constant, which keeps the logarithm of sums of length-normalised probabilities, which can exceed 1, below 0. */
const SHIFT = 5;

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

/**
 * Samples' values by their cluster.
 * @param clusterIds [K] cluster of each sample, from 0 to C - 1, each at least once
 * @param values     [K]
 * @returns [C] lists, each in the samples' order
 * @throws RangeError if K = 0, the lengths differ, or an id is missing
 */
export function groupByCluster<T>(clusterIds: readonly number[], values: readonly T[]): T[][] {
  if (clusterIds.length === 0) throw new RangeError("no samples");
  if (clusterIds.length !== values.length)
    throw new RangeError(`${clusterIds.length} cluster ids for ${values.length} samples`);
  const members: T[][] = [];
  clusterIds.forEach((id, i) => {
    if (!Number.isInteger(id) || id < 0 || id >= clusterIds.length)
      throw new RangeError(`cluster id ${id} of ${clusterIds.length} samples`);
    members[id] ??= [];
    members[id].push(values[i] as T);
  });
  for (let id = 0; id < members.length; id++) {
    if (members[id] === undefined) throw new RangeError(`no sample in cluster ${id} of ${members.length}`);
  }
  return members;
}
