import type { Equivalence } from "./equivalence.ts";
import { nonTransitiveShare } from "./non-transitive-share.ts";

/** The meanings among a question's samples. */
export interface AnswerClusters {
  /** [K] cluster of each sample, numbered in order of first appearance. */
  readonly clusterIds: readonly number[];
  readonly clusterCount: number;
  /**
   * Share of the triples of different answers that the relation treats as a = b, b = c, a != c; where it is above
   * 0, the clusters depend on the samples' order. null if there were too many answers to compare all pairs.
   */
  readonly nonTransitiveShare: number | null;
}

/**
 * Groups answers by meaning, greedily: each is held against the first member of every cluster there is, joins
 * the first that matches, or founds its own. Equal texts are compared once. null, a sample in which no answer
 * was found, is a meaning of its own, "no answer": all nulls form one cluster and match no text.
 * @param answers [K]
 * @param question what they answer
 * @see Farquhar et al. 2024, Methods, "Clustering by semantic equivalence"; Kuhn et al. 2023, algorithm 1
 */
export async function clusterAnswers(
  answers: readonly (string | null)[],
  equivalence: Equivalence,
  { question }: { readonly question: string },
): Promise<AnswerClusters> {
  const texts = [...new Set(answers.filter((answer) => answer !== null))];
  const compare = async (pairs: readonly Pair[]): Promise<readonly boolean[]> =>
    pairs.length === 0
      ? []
      : equivalence.sameMeaning(
          pairs.map(([i, j]) => [texts[i]!, texts[j]!]),
          { question },
        );
  const known = texts.length <= MAX_ANSWERS_FOR_ALL_PAIRS ? await compareAll(texts.length, compare) : null;
  const founderOf = await chooseFounders(texts.length, known, compare);

  const numbers = new Map<number, number>(); // founder -> cluster, in order of first appearance
  const clusterIds = answers.map((answer) => {
    const founder = answer === null ? NO_ANSWER : founderOf[texts.indexOf(answer)]!;
    if (!numbers.has(founder)) numbers.set(founder, numbers.size);
    return numbers.get(founder)!;
  });
  return {
    clusterIds,
    clusterCount: numbers.size,
    nonTransitiveShare: known && nonTransitiveShare(texts.length, (i, j) => known[i]![j]!),
  };
}

/** 435 pairs at most, beyond K = 20 samples, the most that is usual. */
const MAX_ANSWERS_FOR_ALL_PAIRS = 30;

/** Stands for the founder of the cluster of samples without an answer. */
const NO_ANSWER = -1;

/** Indices of two distinct answers, the earlier one in front. */
type Pair = readonly [number, number];
type Compare = (pairs: readonly Pair[]) => Promise<readonly boolean[]>;

/** @returns [n][n], of which [i][j] with i < j is filled in */
async function compareAll(n: number, compare: Compare): Promise<readonly (readonly boolean[])[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) pairs.push([i, j]);
  const verdicts = await compare(pairs);
  const matrix = Array.from({ length: n }, (): boolean[] => []);
  for (const [at, [i, j]] of pairs.entries()) matrix[i]![j] = verdicts[at] === true;
  return matrix;
}

/** @returns [n] index of the answer that founded each answer's cluster */
async function chooseFounders(
  n: number,
  known: readonly (readonly boolean[])[] | null,
  compare: Compare,
): Promise<number[]> {
  const founders: number[] = [];
  const founderOf: number[] = [];
  for (let j = 0; j < n; j++) {
    const verdicts = known ? founders.map((i) => known[i]![j]) : await compare(founders.map((i) => [i, j]));
    const founder = founders[verdicts.indexOf(true)] ?? j;
    if (founder === j) founders.push(j);
    founderOf.push(founder);
  }
  return founderOf;
}
