import type { ClusteredAnswers, Clustering } from "./cluster-answers.ts";
import { type ComparedPair, VERDICT_RULES, type VerdictRule } from "./equivalence.ts";

/** How a question was clustered: keys of its line in `math_semantic_entropy.jsonl`. */
export interface ClusterRecord {
  /** null if the clusters were given. */
  readonly clustering: Clustering | null;
  /** Pairs of different answers that each rule decided; rules that decided none are left out. */
  readonly pair_rules: Readonly<Partial<Record<VerdictRule, number>>>;
  /** What other orders of the samples would have done to greedy clusters; see `OrderSensitivity`. */
  readonly order_sensitivity: {
    readonly orders: number;
    readonly exhaustive: boolean;
    readonly min_discrete_semantic_entropy: number;
    readonly max_discrete_semantic_entropy: number;
    readonly min_cluster_count: number;
    readonly max_cluster_count: number;
  } | null;
}

/** A line of `math_pair_verdicts.jsonl`: every verdict behind a question's clusters, for audits. */
export interface PairVerdictsRecord {
  readonly question_id: string;
  /** [N] the different answers, in order of first appearance. */
  readonly texts: readonly string[];
  readonly pairs: readonly ComparedPair[];
}

export function describeClustering(
  { pairs, orderSensitivity: order }: ClusteredAnswers,
  clustering: Clustering | null,
): ClusterRecord {
  return {
    clustering,
    pair_rules: countRules(pairs),
    order_sensitivity: order && {
      orders: order.orders,
      exhaustive: order.exhaustive,
      min_discrete_semantic_entropy: order.minEntropy,
      max_discrete_semantic_entropy: order.maxEntropy,
      min_cluster_count: order.minClusters,
      max_cluster_count: order.maxClusters,
    },
  };
}

export function describePairVerdicts(
  questionId: string,
  { texts, pairs }: Pick<ClusteredAnswers, "texts" | "pairs">,
): PairVerdictsRecord {
  return { question_id: questionId, texts, pairs: pairs.map(roundVerdict) };
}

/** Pairs by the rule that decided them, in the rules' own order. */
function countRules(pairs: readonly ComparedPair[]): Partial<Record<VerdictRule, number>> {
  const counts: Partial<Record<VerdictRule, number>> = {};
  for (const rule of VERDICT_RULES) {
    const count = pairs.filter((pair) => pair.rule === rule).length;
    if (count > 0) counts[rule] = count;
  }
  return counts;
}

function roundVerdict(pair: ComparedPair): ComparedPair {
  if (pair.rule === "cosine") return { ...pair, similarity: round(pair.similarity) };
  if (pair.rule !== "nli") return pair;
  const roundProbs = (probs: typeof pair.forward): typeof pair.forward => ({
    entailment: round(probs.entailment),
    neutral: round(probs.neutral),
    contradiction: round(probs.contradiction),
    truncated: probs.truncated,
  });
  return { ...pair, forward: roundProbs(pair.forward), backward: roundProbs(pair.backward) };
}

/** Models compute in float32, which carries about seven digits. */
const DECIMALS = 7;
const round = (value: number): number => Number(value.toFixed(DECIMALS));
