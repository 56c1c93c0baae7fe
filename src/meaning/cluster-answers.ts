import {
  allPairs,
  type ComparedTexts,
  comparePairs,
  type Equivalence,
  type JudgedPair,
  lookUp,
  type PairVerdict,
} from "./equivalence.ts";
import { groupByConnection, groupGreedily, groupSpectrally } from "./groupings.ts";
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
 * @see Farquhar et al. 2024, Methods, "Clustering by semantic equivalence"
 */
export async function clusterAnswers(
  answers: readonly (string | null)[],
  equivalence: Equivalence,
  { question, ...options }: ClusterAnswersOptions,
): Promise<JudgedClusters> {
  const [clusters] = await clusterQuestions([{ question, answers }], equivalence, options);
  return clusters!;
}

/** How verdicts on pairs become groups; see `groupGreedily`, `groupByConnection` and `groupSpectrally`. */
export const CLUSTERINGS = ["greedy", "components", "spectral"] as const;
export type Clustering = (typeof CLUSTERINGS)[number];

export interface ClusterAnswersOptions extends ClusterOptions {
  /** What the answers answer. */
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
): Promise<readonly JudgedClusters[]> {
  const asked = questions.map(({ question, answers }): ComparedTexts => {
    const texts = distinctTexts(answers);
    const isWhole = clustering !== "greedy" || texts.length <= MAX_ANSWERS_FOR_ALL_PAIRS;
    return { question, texts, pairs: isWhole ? allPairs(texts.length) : null };
  });
  const judged = await comparePairs(asked, equivalence, signal);
  const clusters: JudgedClusters[] = [];
  for (const [q, { answers }] of questions.entries())
    clusters.push(
      asked[q]!.pairs === null
        ? await groupInRounds(answers, asked[q]!, equivalence, signal)
        : groupAll(answers, asked[q]!, judged[q]!, clustering),
    );
  return clusters;
}

/** The different texts among a question's answers, in order of first appearance. */
export const distinctTexts = (answers: readonly (string | null)[]): readonly string[] => [
  ...new Set(answers.filter((answer) => answer !== null)),
];

/** At most 435 pairs; more than K = 20, the most samples in common use. */
const MAX_ANSWERS_FOR_ALL_PAIRS = 30;

function groupAll(
  answers: readonly (string | null)[],
  { texts }: ComparedTexts,
  pairs: readonly JudgedPair[],
  clustering: Clustering,
): JudgedClusters {
  const n = texts.length;
  const same = lookUp(n, pairs);
  const samplesOf = texts.map((text) => answers.filter((answer) => answer === text).length);
  const unanswered = answers.filter((answer) => answer === null).length;
  const share = nonTransitiveShare(n, same);
  return {
    ...numberClusters(answers, texts, groupTexts()),
    nonTransitiveShare: share,
    texts,
    pairs,
    orderSensitivity:
      clustering === "greedy" && share > 0
        ? measureOrderSensitivity({ samplesOf, unanswered }, same, texts.join("\n"))
        : null,
  };

  function groupTexts(): readonly number[] {
    switch (clustering) {
      case "greedy":
        return groupGreedily([...texts.keys()], same);
      case "components":
        return groupByConnection(n, same);
      case "spectral":
        return groupSpectrally(affinityMatrix(n, pairs));
    }
  }
}

/**
 * Greedy groups where there are too many answers to compare all pairs: each founder is compared with all answers not yet
 * grouped, which gives the same groups as taking the answers one by one.
 */
async function groupInRounds(
  answers: readonly (string | null)[],
  { question, texts }: ComparedTexts,
  equivalence: Equivalence,
  signal: AbortSignal | undefined,
): Promise<JudgedClusters> {
  const pairs: JudgedPair[] = [];
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
 * Numbers the groups in order of first appearance among the samples.
 * @param groupOf [N] any number that the texts of one group share, from 0
 */
function numberClusters(
  answers: readonly (string | null)[],
  texts: readonly string[],
  groupOf: readonly number[],
): Pick<AnswerClusters, "clusterIds" | "clusterCount"> {
  const numbers = new Map<number, number>();
  const clusterIds = answers.map((answer) => {
    const group = answer === null ? NO_ANSWER : groupOf[texts.indexOf(answer)]!;
    if (!numbers.has(group)) numbers.set(group, numbers.size);
    return numbers.get(group)!;
  });
  return { clusterIds, clusterCount: numbers.size };
}

/** Stands for the group of samples without an answer. */
const NO_ANSWER = -1;

/**
 * How alike a question's answers are, for spectral clusters: the mean probability of entailment of both directions, the
 * cosine where it is above 0, and 1 or 0 from rules that only say yes or no.
 * @param pairs all pairs of n items
 * @returns [n][n] symmetric, in [0, 1], 1 on the diagonal
 */
function affinityMatrix(n: number, pairs: readonly JudgedPair[]): number[][] {
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
 * Share of the triples of n items in which exactly two of the three pairs are the same, which no grouping can represent.
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
