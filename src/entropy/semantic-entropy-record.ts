import { asRow, numberField, numbersField, orNull, stringField } from "../formats/row-fields.ts";
import type { QuestionSamples } from "./question-samples.ts";
import { SE_MODES, type SeModeName } from "./se-mode.ts";
import { clusterProbs } from "./semantic-entropy.ts";

/**
 * Every uncertainty estimate of one question, one line of `math_semantic_entropy.jsonl`. Entropies in nats. The
 * keys up to `semantic_entropy` are the ones that Python pipelines of this kind write.
 */
export interface SemanticEntropyRecord {
  readonly question_id: string;
  /** [K] the texts that were compared, by `run_ids`; null if a sample has no answer. */
  readonly answers: readonly (string | null)[];
  readonly clusters: readonly { readonly cluster_id: number; readonly member_run_ids: readonly number[] }[];
  /** [C] share of each cluster in the samples' weights. */
  readonly cluster_probs: readonly number[];
  /** Of the requested variant; null if log-probabilities are missing. */
  readonly semantic_entropy: number | null;
  /** The target of the SE probe: over counts of samples. */
  readonly discrete_semantic_entropy: number;
  /** What weights a sample in `cluster_probs`; "counts" where its log-probability is unknown. */
  readonly cluster_weights: "mean_logprobs" | "sum_logprobs" | "counts";
  /** [K] */
  readonly run_ids: readonly number[];
  /** Name of the relation that clustered the answers. */
  readonly equivalence: string;
  /** Share of the samples that are correct; null if that is not known. */
  readonly accuracy: number | null;
  /** See `AnswerClusters`; null if not computed. */
  readonly non_transitive_share: number | null;
  /** The other estimates by their names: numbers, null if the question lacks what one needs. */
  readonly [estimate: string]: unknown;
}

/** What later steps read of a question's entropies; `semantic_entropy` is null if log-probabilities are missing. */
export interface StoredSemanticEntropy
  extends Pick<
    SemanticEntropyRecord,
    "question_id" | "clusters" | "semantic_entropy" | "discrete_semantic_entropy"
  > {
  /** 1 - p(True) of the question's answer; null if it was not measured. */
  readonly p_false: number | null;
}

/**
 * One line of the file, as far as later steps read it.
 * @throws TypeError with the reason
 */
export function parseSemanticEntropy(value: unknown): StoredSemanticEntropy {
  const row = asRow(value);
  const clusters = Array.isArray(row.clusters) ? row.clusters : [];
  return {
    question_id: stringField(row, "question_id"),
    clusters: clusters.map((cluster) => ({
      cluster_id: numberField(asRow(cluster), "cluster_id"),
      member_run_ids: numbersField(asRow(cluster), "member_run_ids"),
    })),
    semantic_entropy: orNull(row, "semantic_entropy", numberField),
    discrete_semantic_entropy: numberField(row, "discrete_semantic_entropy"),
    p_false: typeof row.p_false === "number" ? row.p_false : null,
  };
}

/** What a record has besides the samples and their estimates. */
interface RecordContext {
  readonly mode: SeModeName;
  readonly equivalence: string;
  readonly nonTransitiveShare: number | null;
}

/**
 * @param estimates by name, `discrete_semantic_entropy` and `semantic_entropy` among them
 */
export function describeQuestion(
  samples: QuestionSamples,
  estimates: Readonly<Record<string, number | null>>,
  { mode, equivalence, nonTransitiveShare }: RecordContext,
): SemanticEntropyRecord {
  const { id, answers, clusterIds, runIds, isCorrect } = samples;
  const { semantic_entropy = null, ...others } = estimates;
  const weights = weigh(samples, mode);
  return {
    question_id: id,
    answers,
    clusters: Array.from({ length: Math.max(...clusterIds) + 1 }, (_, cluster) => ({
      cluster_id: cluster,
      member_run_ids: runIds.filter((_run, i) => clusterIds[i] === cluster),
    })),
    cluster_probs: clusterProbs(clusterIds, weights.logWeights),
    semantic_entropy,
    ...(others as { readonly discrete_semantic_entropy: number }),
    cluster_weights: weights.name,
    run_ids: runIds,
    equivalence,
    accuracy: isCorrect && isCorrect.filter((correct) => correct).length / isCorrect.length,
    non_transitive_share: nonTransitiveShare,
  };
}

function weigh(
  { sumLogprobs, tokenCounts, runIds }: QuestionSamples,
  mode: SeModeName,
): { readonly name: SemanticEntropyRecord["cluster_weights"]; readonly logWeights: readonly number[] } {
  if (SE_MODES[mode].weights === "sum" && sumLogprobs !== null)
    return { name: "sum_logprobs", logWeights: sumLogprobs };
  if (SE_MODES[mode].weights === "mean" && sumLogprobs !== null && tokenCounts !== null)
    return { name: "mean_logprobs", logWeights: sumLogprobs.map((sum, i) => sum / tokenCounts[i]!) };
  return { name: "counts", logWeights: runIds.map(() => 0) };
}
