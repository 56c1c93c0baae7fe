import type { Equivalence } from "./equivalence.ts";
import type { PairVerdict } from "./pair-verdict.ts";

/** A verdict on two of a question's different answers. */
export type JudgedPair = PairVerdict & {
  /** Their indices among the different answers, the earlier one in front. */
  readonly pair: readonly [number, number];
};

/** What to compare of one question's different answers. */
export interface ComparedTexts {
  readonly question: string;
  /** [N] */
  readonly texts: readonly string[];
  /** Indices i < j into `texts`; null for none. */
  readonly pairs: readonly (readonly [number, number])[] | null;
}

/**
 * Asks a relation about pairs of many questions in one call.
 * @returns [questions] the verdicts, in the order of each one's `pairs`
 */
export async function comparePairs(
  questions: readonly ComparedTexts[],
  equivalence: Equivalence,
  signal: AbortSignal | undefined,
): Promise<readonly (readonly JudgedPair[])[]> {
  const asked = questions.flatMap(({ question, texts, pairs }) =>
    (pairs ?? []).map(([i, j]) => ({ question, first: texts[i]!, second: texts[j]! })),
  );
  const verdicts = asked.length === 0 ? [] : await equivalence.compare(asked, { signal });
  let next = 0;
  return questions.map(({ pairs }) => (pairs ?? []).map((pair) => ({ pair, ...verdicts[next++]! })));
}

/** Every pair i < j of n items. */
export function allPairs(n: number): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) pairs.push([i, j]);
  return pairs;
}

/** @returns whether two items are the same, in either order; those without a verdict are not */
export function lookUp(pairs: readonly JudgedPair[]): (i: number, j: number) => boolean {
  const same = new Set(pairs.flatMap((each) => (each.same ? [keyOf(...each.pair)] : [])));
  return (i, j) => same.has(i < j ? keyOf(i, j) : keyOf(j, i));
}

const keyOf = (i: number, j: number): string => `${i} ${j}`;
