import type { QuestionSamples } from "../question-samples.ts";
import { SE_MODES, type SeModeName } from "../se-mode.ts";
import {
  discreteSemanticEntropy,
  groupByCluster,
  meanClusterSurprisal,
  minorityShare,
  monteCarloSemanticEntropy,
  semanticEntropy,
  sumLogprobSemanticEntropy,
} from "../semantic-entropy.ts";
import { type Estimate, known } from "./estimate.ts";

const KUHN = "Kuhn et al. 2023";
const OATML = "OATML/semantic-entropy-probes";
const FORMULA = "formula in Python";

const TITLES = { sum: "shifted by 5", sum_normalized: "normalized", mean: "mean of its samples" } as const;
const FORMULAS = {
  sum: "-mean_c (ln sum_{i in c} exp w_i - 5)",
  sum_normalized: "-mean_c ln (sum_{i in c} exp w_i / sum_i exp w_i)",
  mean: "-mean_c ln mean_{i in c} exp w_i",
} as const;

/** Estimates over the clusters of meaning. l_i: mean, s_i: sum of a sample's token log-probabilities. */
export const CLUSTER_ESTIMATES: readonly Estimate[] = [
  {
    name: "discrete_semantic_entropy",
    title: "Discrete semantic entropy",
    formula: "-sum_c (n_c/K) ln (n_c/K)",
    needs: [],
    range: "0 to ln K nats",
    published: "same",
    source: "Farquhar et al. 2024; `cluster_assignment_entropy` of OATML's code",
    checkedAgainst: "uqlm, lm-polygraph",
    compute: ({ clusterIds }) => discreteSemanticEntropy(clusterIds),
  },
  {
    name: "semantic_entropy",
    title: "Semantic entropy, the variant of `--se-mode`",
    formula: "by mode; `nature` by default",
    needs: ["mean_logprobs"],
    range: "0 to ln K nats; `oatml`, `kuhn`: nats",
    published: "same",
    source: "see the modes",
    checkedAgainst: `uqlm (nature); ${FORMULA}`,
    compute: (samples, mode) => semanticEntropyOf(samples, mode),
  },
  {
    name: "nature_semantic_entropy",
    title: "Semantic entropy, length-normalized",
    formula: "-sum_c p_c ln p_c, p_c = sum_{i in c} exp l_i / sum_i exp l_i",
    needs: ["mean_logprobs"],
    range: "0 to ln K nats",
    published: "same",
    source: `Farquhar et al. 2024; \`semantic_entropy_sum-normalized-rao\` of ${OATML}`,
    checkedAgainst: "uqlm",
    compute: (samples) => semanticEntropy(samples.clusterIds, known(samples, "mean_logprobs")),
  },
  {
    name: "sum_logprob_semantic_entropy",
    title: "Semantic entropy, whole-sequence likelihoods",
    formula: "-sum_c p_c ln p_c, p_c = sum_{i in c} exp s_i / sum_i exp s_i",
    needs: ["sequence_logprobs"],
    range: "0 to ln K nats",
    published: "same",
    source: `the original notebook; \`semantic_entropy_sum_sum-normalized-rao\` of ${OATML}`,
    checkedAgainst: `uqlm; ${FORMULA}`,
    compute: (samples) => sumLogprobSemanticEntropy(samples.clusterIds, known(samples, "sequence_logprobs")),
  },
  ...surprisal("mean_logprobs", "l_i", [
    [
      "kuhn_semantic_entropy",
      "sum",
      `\`predictive_entropy_over_concepts\` of ${KUHN}; \`semantic_entropy\` of ${OATML}`,
    ],
    ["oatml_semantic_entropy_sum_normalized", "sum_normalized", OATML],
    ["oatml_semantic_entropy_cmean", "mean", OATML],
  ]),
  ...surprisal("sequence_logprobs", "s_i", [
    [
      "kuhn_unnormalised_semantic_entropy",
      "sum",
      `\`unnormalised_entropy_over_concepts\` of ${KUHN}; \`semantic_entropy_sum\` of ${OATML}`,
    ],
    ["oatml_semantic_entropy_sum_sum_normalized", "sum_normalized", OATML],
    ["oatml_semantic_entropy_sum_cmean", "mean", OATML],
  ]),
  {
    name: "monte_carlo_semantic_entropy",
    title: "Semantic entropy, Monte Carlo over samples",
    formula: "-mean_i ln sum_{j in c(i)} exp s_j",
    needs: ["sequence_logprobs"],
    range: "nats",
    published: "same",
    source: `${KUHN}, equation 5; \`SemanticEntropy\` of lm-polygraph`,
    checkedAgainst: "lm-polygraph",
    compute: (samples) => monteCarloSemanticEntropy(samples.clusterIds, known(samples, "sequence_logprobs")),
  },
  {
    name: "cluster_count",
    title: "Number of clusters",
    formula: "C",
    needs: [],
    range: "1 to K",
    published: "same",
    source: `${KUHN}; \`num_semantic_sets\` of uqlm`,
    checkedAgainst: "uqlm",
    compute: ({ clusterIds }) => groupByCluster(clusterIds, clusterIds).length,
  },
  {
    name: "minority_share",
    title: "Share of samples outside the largest cluster",
    formula: "1 - max_c n_c / K",
    needs: [],
    range: "0 to 1 - 1/K",
    published: "same",
    source: "Wang et al. 2023; `LabelProb` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: ({ clusterIds }) => minorityShare(clusterIds),
  },
];

function semanticEntropyOf(samples: QuestionSamples, mode: SeModeName): number {
  const { weights, estimator } = SE_MODES[mode];
  const logWeights = known(samples, weights === "mean" ? "mean_logprobs" : "sequence_logprobs");
  return estimator === "entropy"
    ? semanticEntropy(samples.clusterIds, logWeights)
    : meanClusterSurprisal(samples.clusterIds, logWeights, "sum");
}

function surprisal(
  need: "mean_logprobs" | "sequence_logprobs",
  weight: string,
  variants: readonly (readonly [
    name: string,
    aggregate: "sum" | "sum_normalized" | "mean",
    source: string,
  ])[],
): Estimate[] {
  return variants.map(([name, aggregate, source]) => ({
    name,
    title: `Mean surprisal of a cluster, ${TITLES[aggregate]}, ${weight === "l_i" ? "length-normalized" : "whole sequences"}`,
    formula: FORMULAS[aggregate].replaceAll("w_i", weight),
    needs: [need],
    range: aggregate === "sum_normalized" ? "0 nats and more" : "nats",
    published: "same",
    source,
    checkedAgainst: FORMULA,
    compute: (samples) => meanClusterSurprisal(samples.clusterIds, known(samples, need), aggregate),
  }));
}
