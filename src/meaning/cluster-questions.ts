import { affinityMatrix } from "./affinity.ts";
import type { AnswerClusters, JudgedClusters } from "./cluster-answers.ts";
import { allPairs, type ComparedTexts, comparePairs, type JudgedPair, lookUp } from "./compare-pairs.ts";
import type { Equivalence } from "./equivalence.ts";
import { groupByConnection } from "./group-by-connection.ts";
import { groupGreedily } from "./group-greedily.ts";
import { groupSpectrally } from "./group-spectrally.ts";
import { nonTransitiveShare } from "./non-transitive-share.ts";
import { measureOrderSensitivity } from "./order-sensitivity.ts";

/** How verdicts on pairs become groups; see `groupGreedily`, `groupByConnection` and `groupSpectrally`. */
export const CLUSTERINGS = ["greedy", "components", "spectral"] as const;
export type Clustering = (typeof CLUSTERINGS)[number];

export interface ClusterOptions {
  readonly clustering?: Clustering | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A question and its samples. */
export interface AnsweredQuestion {
  readonly question: string;
  /** [K] */
  readonly answers: readonly (string | null)[];
}

/**
 * `clusterAnswers` for many questions at once: the pairs of all of them are one batch for the relation.
 * @returns one result a question, in their order
 */
export async function clusterQuestions(
  questions: readonly AnsweredQuestion[],
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

/** 435 pairs at most, beyond K = 20 samples, the most that is usual. */
const MAX_ANSWERS_FOR_ALL_PAIRS = 30;

function groupAll(
  answers: readonly (string | null)[],
  { texts }: ComparedTexts,
  pairs: readonly JudgedPair[],
  clustering: Clustering,
): JudgedClusters {
  const n = texts.length;
  const same = lookUp(pairs);
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
 * Greedy groups of answers that are too many to compare all pairs: each founder is held against all that are not yet
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
