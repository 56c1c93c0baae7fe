import { clusterByComponents, clusterGreedily, clusterSpectrally } from "./clustering-algorithms.ts";
import {
  allPairs,
  type ComparedPair,
  type ComparedTexts,
  comparePairs,
  type Equivalence,
  lookUp,
  type PairVerdict,
} from "./equivalence.ts";
import { measureOrderSensitivity, type OrderSensitivity } from "./order-sensitivity.ts";

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

/** Clusters with the evidence behind them. */
export interface ClusteredAnswers extends AnswerClusters {
  /** [N] the different answers, in order of first appearance. */
  readonly texts: readonly string[];
  /** The pairs of `texts` that were compared, all of them unless there were too many. */
  readonly pairs: readonly ComparedPair[];
  /** Greedy clusters only; null if no order can matter, and where not all pairs were compared. */
  readonly orderSensitivity: OrderSensitivity | null;
}

/**
 * Clusters answers by meaning. Equal texts are compared once. null, a sample in which no answer was found, is a meaning
 * of its own, "no answer": all nulls form one cluster and match no text.
 * @param answers [K]
 * @see Farquhar et al. 2024, Methods, "Clustering by semantic equivalence"
 */
export async function clusterAnswers(
  answers: readonly (string | null)[],
  equivalence: Equivalence,
  { question, ...options }: ClusterAnswersOptions,
): Promise<ClusteredAnswers> {
  const [clusters] = await clusterQuestions([{ question, answers }], equivalence, options);
  return clusters!;
}

/** How verdicts on pairs become clusters; see `clusterGreedily`, `clusterByComponents` and `clusterSpectrally`. */
export const CLUSTERINGS = ["greedy", "components", "spectral"] as const;
export type Clustering = (typeof CLUSTERINGS)[number];

export interface ClusterAnswersOptions extends ClusterOptions {
  /** The question that was answered. */
  readonly question: string;
}

export interface ClusterOptions {
  readonly clustering?: Clustering | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A question and its samples. */
interface QuestionAnswers {
  readonly question: string;
  /** [K] */
  readonly answers: readonly (string | null)[];
}

/**
 * `clusterAnswers` for many questions at once: all their pairs are one batch for the relation.
 * @returns one result per question, in their order
 */
export async function clusterQuestions(
  questions: readonly QuestionAnswers[],
  equivalence: Equivalence,
  { clustering = "greedy", signal }: ClusterOptions = {},
): Promise<readonly ClusteredAnswers[]> {
  const asked = questions.map(({ question, answers }): ComparedTexts => {
    const texts = distinctTexts(answers);
    const isWhole = clustering !== "greedy" || texts.length <= MAX_ANSWERS_FOR_ALL_PAIRS;
    return { question, texts, pairs: isWhole ? allPairs(texts.length) : null };
  });
  const verdicts = await comparePairs(asked, equivalence, signal);
  const clusters: ClusteredAnswers[] = [];
  for (const [q, { answers }] of questions.entries())
    clusters.push(
      asked[q]!.pairs === null
        ? await clusterInRounds(answers, asked[q]!, equivalence, signal)
        : clusterAll(answers, asked[q]!, verdicts[q]!, clustering),
    );
  return clusters;
}

/** The different texts among a question's answers, in order of first appearance. */
export const distinctTexts = (answers: readonly (string | null)[]): readonly string[] => [
  ...new Set(answers.filter((answer) => answer !== null)),
];

/** At most 435 pairs; more than K = 20, the most samples in common use. */
const MAX_ANSWERS_FOR_ALL_PAIRS = 30;

function clusterAll(
  answers: readonly (string | null)[],
  { texts }: ComparedTexts,
  pairs: readonly ComparedPair[],
  clustering: Clustering,
): ClusteredAnswers {
  const n = texts.length;
  const same = lookUp(n, pairs);
  const samplesOf = texts.map((text) => answers.filter((answer) => answer === text).length);
  const unanswered = answers.filter((answer) => answer === null).length;
  const share = nonTransitiveShare(n, same);
  return {
    ...numberClusters(answers, texts, clusterTexts()),
    nonTransitiveShare: share,
    texts,
    pairs,
    orderSensitivity:
      clustering === "greedy" && share > 0
        ? measureOrderSensitivity({ samplesOf, unanswered }, same, texts.join("\n"))
        : null,
  };

  function clusterTexts(): readonly number[] {
    switch (clustering) {
      case "greedy":
        return clusterGreedily([...texts.keys()], same);
      case "components":
        return clusterByComponents(n, same);
      case "spectral":
        return clusterSpectrally(affinityMatrix(n, pairs));
    }
  }
}

/**
 * Greedy clusters if there are too many answers to compare all pairs: each founder is compared with all answers not yet
 * in a cluster, which gives the same clusters as taking the answers one by one.
 */
async function clusterInRounds(
  answers: readonly (string | null)[],
  { question, texts }: ComparedTexts,
  equivalence: Equivalence,
  signal: AbortSignal | undefined,
): Promise<ClusteredAnswers> {
  const pairs: ComparedPair[] = [];
  const founderOf = [...texts.keys()];
  let open = [...texts.keys()];
  while (open.length > 0) {
    const [founder, ...others] = open as [number, ...number[]];
    const round = others.map((other) => [founder, other] as const);
    const [verdicts] = await comparePairs([{ question, texts, pairs: round }], equivalence, signal);
    pairs.push(...verdicts!);
    for (const { same, pair } of verdicts!) if (same) founderOf[pair[1]] = founder;
    open = others.filter((other) => founderOf[other] !== founder);
  }
  return {
    ...numberClusters(answers, texts, founderOf),
    nonTransitiveShare: null,
    texts,
    pairs,
    orderSensitivity: null,
  };
}

/**
 * Numbers the clusters in order of first appearance among the samples.
 * @param keyOf [N] any number from 0 that the texts of one cluster share
 */
function numberClusters(
  answers: readonly (string | null)[],
  texts: readonly string[],
  keyOf: readonly number[],
): Pick<AnswerClusters, "clusterIds" | "clusterCount"> {
  const numbers = new Map<number, number>();
  const clusterIds = answers.map((answer) => {
    const key = answer === null ? NO_ANSWER : keyOf[texts.indexOf(answer)]!;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
  return { clusterIds, clusterCount: numbers.size };
}

/** Stands for the cluster of samples without an answer. */
const NO_ANSWER = -1;

/**
 * Similarities of a question's answers, for spectral clusters: the mean probability of entailment of both directions, the
 * cosine where it is above 0, and 1 or 0 from rules that only say yes or no.
 * @param pairs all pairs of n items
 * @returns [n][n] symmetric, in [0, 1], 1 on the diagonal
 */
function affinityMatrix(n: number, pairs: readonly ComparedPair[]): number[][] {
  const matrix = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i++) matrix[i]![i] = 1;
  for (const { pair, ...verdict } of pairs) {
    const [i, j] = pair;
    matrix[i]![j] = matrix[j]![i] = affinityOf(verdict);
  }
  return matrix;
}

function affinityOf(verdict: PairVerdict): number {
  if (verdict.rule === "nli") return (verdict.forward.entailment + verdict.backward.entailment) / 2;
  if (verdict.rule === "cosine") return Math.max(0, verdict.similarity);
  return verdict.same ? 1 : 0;
}

/**
 * Share of the triples of n items in which exactly two of the three pairs are the same, which no clustering can represent.
 * @param same whether items i < j are the same
 * @returns in [0, 1]; 0 if there are fewer than three items
 */
export function nonTransitiveShare(n: number, same: (i: number, j: number) => boolean): number {
  let triples = 0;
  let broken = 0;
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++)
      for (let k = j + 1; k < n; k++) {
        triples += 1;
        if (Number(same(i, j)) + Number(same(j, k)) + Number(same(i, k)) === 2) broken += 1;
      }
  return triples === 0 ? 0 : broken / triples;
}
