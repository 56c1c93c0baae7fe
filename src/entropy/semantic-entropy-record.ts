import type { AnswerClusters } from "../meaning/cluster-answers.ts";
import type { Equivalence } from "../meaning/equivalence.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import { clusterProbs } from "./cluster-probs.ts";
import { discreteSemanticEntropy } from "./discrete-semantic-entropy.ts";
import { meanTokenEntropy } from "./mean-token-entropy.ts";
import { regularEntropy } from "./regular-entropy.ts";
import { semanticEntropy } from "./semantic-entropy.ts";
import { sumLogprobSemanticEntropy } from "./sum-logprob-semantic-entropy.ts";

/**
 * Every uncertainty estimate of one question, one line of `math_semantic_entropy.jsonl`. Entropies in nats. The
 * keys up to `semantic_entropy` are the ones that Python pipelines of this kind write.
 */
export interface SemanticEntropyRecord {
  readonly question_id: string;
  /** [K] the texts that were compared, by `run_ids`; null where a sample has no answer. */
  readonly answers: readonly (string | null)[];
  readonly clusters: readonly { readonly cluster_id: number; readonly member_run_ids: readonly number[] }[];
  /** [C] share of each cluster, weighted by exp(mean token log-probability). */
  readonly cluster_probs: readonly number[];
  /** The Nature estimate, over mean token log-probabilities of all generated tokens, reasoning included. */
  readonly semantic_entropy: number;
  /** The target of the SE probe: over counts of samples. */
  readonly discrete_semantic_entropy: number;
  /** Over whole-sequence probabilities. */
  readonly sum_logprob_semantic_entropy: number;
  /** -mean over samples of the mean token log-probability. */
  readonly regular_entropy: number;
  /** Over all generated tokens, then over samples. */
  readonly mean_token_entropy: number;
  readonly cluster_count: number;
  /** [K] */
  readonly run_ids: readonly number[];
  /** Name of the relation that grouped the answers. */
  readonly equivalence: string;
  /** Share of the samples that are correct. */
  readonly accuracy: number;
  /** See `AnswerClusters`; null if not computed. */
  readonly non_transitive_share: number | null;
}

/**
 * @param runs    [K] samples of one question, K >= 1
 * @param answers [K] what was compared
 */
export function describeSemanticEntropy(
  runs: readonly RunRecord[],
  answers: readonly (string | null)[],
  clusters: AnswerClusters,
  equivalence: Pick<Equivalence, "name">,
): SemanticEntropyRecord {
  const { clusterIds, clusterCount } = clusters;
  const sumLogprobs = runs.map((run) => sum(run.token_logprobs));
  const meanLogprobs = runs.map((run, i) => (sumLogprobs[i] as number) / run.tokens.length);
  return {
    question_id: (runs[0] as RunRecord).question_id,
    answers,
    clusters: Array.from({ length: clusterCount }, (_, id) => ({
      cluster_id: id,
      member_run_ids: runs.filter((_run, i) => clusterIds[i] === id).map((run) => run.run_id),
    })),
    cluster_probs: clusterProbs(clusterIds, meanLogprobs),
    semantic_entropy: semanticEntropy(clusterIds, meanLogprobs),
    discrete_semantic_entropy: discreteSemanticEntropy(clusterIds),
    sum_logprob_semantic_entropy: sumLogprobSemanticEntropy(clusterIds, sumLogprobs),
    regular_entropy: regularEntropy(meanLogprobs),
    mean_token_entropy: meanTokenEntropy(runs.map((run) => run.token_entropies)),
    cluster_count: clusterCount,
    run_ids: runs.map((run) => run.run_id),
    equivalence: equivalence.name,
    accuracy: runs.filter((run) => run.is_correct).length / runs.length,
    non_transitive_share: clusters.nonTransitiveShare,
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
