import { type ClusterOptions, clusterQuestions } from "./cluster-questions.ts";
import type { JudgedPair } from "./compare-pairs.ts";
import type { Equivalence } from "./equivalence.ts";
import type { OrderSensitivity } from "./order-sensitivity.ts";

/** The meanings among a question's samples. */
export interface AnswerClusters {
  /** [K] cluster of each sample, numbered in order of first appearance. */
  readonly clusterIds: readonly number[];
  readonly clusterCount: number;
  /**
   * Share of the triples of different answers that the relation treats as a = b, b = c, a != c; where it is above
   * 0, greedy clusters depend on the samples' order. null if there were too many answers to compare all pairs.
   */
  readonly nonTransitiveShare: number | null;
}

/** The same, with everything that led to it. */
export interface JudgedClusters extends AnswerClusters {
  /** [N] the different answers, in order of first appearance. */
  readonly texts: readonly string[];
  /** The pairs of `texts` that were compared, all of them unless there were too many. */
  readonly pairs: readonly JudgedPair[];
  /** Greedy clusters only; null where no order can matter, and where not all pairs were compared. */
  readonly orderSensitivity: OrderSensitivity | null;
}

/**
 * Groups answers by meaning. Equal texts are compared once. null, a sample in which no answer was found, is a meaning
 * of its own, "no answer": all nulls form one cluster and match no text.
 * @param answers [K]
 * @param options.question what they answer
 * @see Farquhar et al. 2024, Methods, "Clustering by semantic equivalence"
 */
export async function clusterAnswers(
  answers: readonly (string | null)[],
  equivalence: Equivalence,
  { question, ...options }: ClusterOptions & { readonly question: string },
): Promise<JudgedClusters> {
  const [clusters] = await clusterQuestions([{ question, answers }], equivalence, options);
  return clusters!;
}
