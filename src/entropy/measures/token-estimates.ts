import {
  lexicalEntropy,
  likeliestSample,
  logPerplexity,
  maxTokenEntropy,
  maxTokenNll,
  meanTokenEntropy,
  monteCarloImprobability,
  regularEntropy,
  sequenceNll,
} from "../token-measures.ts";
import { type Estimate, type EstimateNeed, known } from "./estimate.ts";

const MALININ = "Malinin and Gales 2021";

/** Estimates over tokens' log-probabilities and entropies. l_i: mean, s_i: sum of a sample's log-probabilities. */
export const TOKEN_ESTIMATES: readonly Estimate[] = [
  {
    name: "regular_entropy",
    title: "Predictive entropy, length-normalized",
    formula: "-mean_i l_i",
    needs: ["mean_logprobs"],
    range: "0 nats and more",
    published: "same",
    source: `${MALININ}; \`regular_entropy\` of OATML's code; \`MonteCarloNormalizedSequenceEntropy\` of lm-polygraph`,
    checkedAgainst: "lm-polygraph",
    compute: (samples) => regularEntropy(known(samples, "mean_logprobs")),
  },
  {
    name: "regular_entropy_sum",
    title: "Predictive entropy, whole-sequence likelihoods",
    formula: "-mean_i s_i",
    needs: ["sequence_logprobs"],
    range: "0 nats and more",
    published: "same",
    source: `${MALININ}; \`regular_entropy_sum\` of OATML's code; \`MonteCarloSequenceEntropy\` of lm-polygraph`,
    checkedAgainst: "lm-polygraph",
    compute: (samples) => regularEntropy(known(samples, "sequence_logprobs")),
  },
  {
    name: "lexical_entropy",
    title: "Entropy over the samples, without clustering",
    formula: "-sum_i p_i ln p_i, p_i = exp s_i / sum_j exp s_j",
    needs: ["sequence_logprobs"],
    range: "0 to ln K nats",
    published: "same",
    source: "the original notebook",
    checkedAgainst: "formula in Python",
    compute: (samples) => lexicalEntropy(known(samples, "sequence_logprobs")),
  },
  {
    name: "monte_carlo_improbability",
    title: "Mean improbability of the samples",
    formula: "1 - mean_i exp l_i",
    needs: ["mean_logprobs"],
    range: "0 to 1",
    published: "one-minus",
    source: "`monte_carlo_probability` of uqlm",
    checkedAgainst: "uqlm",
    compute: (samples) => monteCarloImprobability(known(samples, "mean_logprobs")),
  },
  ...likelihoods("likeliest", "token_logprobs", "the likeliest sample"),
  ...likelihoods("best", "best_logprobs", "the best answer"),
  ...entropies(),
  {
    name: "max_token_entropy",
    title: "Entropy of the most uncertain token, mean over samples",
    formula: "mean_i max_t H_it",
    needs: ["token_entropies"],
    range: "0 nats and more",
    published: "same",
    source: "Manakul et al. 2023",
    checkedAgainst: "formula in Python",
    compute: (samples) => maxTokenEntropy(known(samples, "token_entropies")),
  },
  {
    name: "best_mean_token_entropy",
    title: "Mean entropy of the best answer's tokens",
    formula: "mean_t H_t",
    needs: ["best_entropies"],
    range: "0 nats and more",
    published: "same",
    source: "Fomicheva et al. 2020; `MeanTokenEntropy` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: (samples) => meanTokenEntropy([known(samples, "best_entropies")]),
  },
];

/** Three measures of one answer's tokens. */
function likelihoods(prefix: string, need: "token_logprobs" | "best_logprobs", answer: string): Estimate[] {
  const shared = { range: "0 nats and more", published: "same" } as const;
  const needs: readonly EstimateNeed[] = [need];
  const measure =
    (f: (logprobs: readonly number[]) => number): Estimate["compute"] =>
    (samples) => {
      if (need === "best_logprobs") return f(known(samples, need));
      const logprobs = known(samples, need);
      return f(logprobs[likeliestSample(known(samples, "sequence_logprobs"))]!);
    };
  return [
    {
      ...shared,
      name: `${prefix}_sequence_nll`,
      title: `Negative log-likelihood of ${answer}`,
      formula: "-sum_t ln p_t",
      needs,
      source: "maximum sequence probability; `MaximumSequenceProbability` of lm-polygraph",
      checkedAgainst: "lm-polygraph",
      compute: measure(sequenceNll),
    },
    {
      ...shared,
      name: `${prefix}_log_perplexity`,
      title: `Log perplexity of ${answer}`,
      formula: "-mean_t ln p_t",
      needs,
      source: "Fomicheva et al. 2020; `Perplexity` of lm-polygraph, `sequence_probability` of uqlm",
      checkedAgainst: "lm-polygraph, uqlm",
      compute: measure(logPerplexity),
    },
    {
      ...shared,
      name: `${prefix}_max_token_nll`,
      title: `Least probable token of ${answer}`,
      formula: "max_t -ln p_t",
      needs,
      source: "Manakul et al. 2023; `min_probability` of uqlm",
      checkedAgainst: "uqlm",
      compute: measure(maxTokenNll),
    },
  ];
}

/** Mean token entropies of the whole answer, of its reasoning, and of the rest. */
function entropies(): Estimate[] {
  const parts = [
    ["mean_token_entropy", "token_entropies", "all tokens"],
    ["mean_think_token_entropy", "reasoning", "the reasoning's tokens"],
    ["mean_answer_token_entropy", "answer_tokens", "the tokens after the reasoning"],
  ] as const;
  return parts.map(([name, need, tokens]) => ({
    name,
    title: `Mean entropy of ${tokens}`,
    formula: "mean_i mean_t H_it",
    needs: [need],
    range: "0 nats and more",
    published: "same",
    source: "Fomicheva et al. 2020",
    checkedAgainst: "lm-polygraph, sample by sample",
    compute: (samples) => meanTokenEntropy(known(samples, need)),
  }));
}
