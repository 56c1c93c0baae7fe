import type { Json } from "../formats/json.ts";
import type { EntailmentVerdict } from "./entailer.ts";
import type { JudgeLabel } from "./judge-model.ts";

/** Two different answers to one question, in their order of appearance. */
export interface AnswerPair {
  readonly question: string;
  readonly first: string;
  readonly second: string;
}

/** Tells whether two answers to a question mean the same. */
export interface Equivalence {
  readonly name: string;
  /** Everything that determines its verdicts (model and revision, thresholds …), for the provenance of artifacts. */
  readonly provenance: Json;
  /** Pairs worth comparing in one call where there are many; any number if left out. */
  readonly batchPairs?: number | undefined;
  /**
   * Verdicts on many pairs at once, of one question or of many, so that a model can batch them.
   * @returns [N] in the pairs' order. `same` is symmetric: the order within a pair does not matter
   */
  compare(
    pairs: readonly AnswerPair[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly PairVerdict[]>;
}

/**
 * What decided a pair: `exact` the same words, `math` equal as mathematics, `nli` an NLI model, `cosine`
 * sentence vectors, `judge` a language model, `custom` a relation of the caller's own.
 */
export const VERDICT_RULES = ["exact", "math", "nli", "cosine", "judge", "custom"] as const;
export type VerdictRule = (typeof VERDICT_RULES)[number];

/** Whether two answers mean the same, which rule decided, and on what evidence. */
export type PairVerdict =
  | { readonly same: boolean; readonly rule: "exact" | "math" | "custom" }
  | {
      readonly same: boolean;
      readonly rule: "nli";
      /** The first answer as premise, the second as hypothesis. */
      readonly forward: EntailmentVerdict;
      /** The second answer as premise, the first as hypothesis. */
      readonly backward: EntailmentVerdict;
    }
  | {
      readonly same: boolean;
      readonly rule: "cosine";
      /** In [-1, 1]. */
      readonly similarity: number;
      /** Whether one of the texts was truncated to the model's length. */
      readonly truncated: boolean;
    }
  | {
      readonly same: boolean;
      readonly rule: "judge";
      /** One per question put to the judge; null if its reply was none of the words. */
      readonly labels: readonly (JudgeLabel | null)[];
    };

/** A verdict on two of a question's different answers. */
export type ComparedPair = PairVerdict & {
  /** Their indices among the different answers, ascending. */
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
 * Compares pairs of many questions in one call.
 * @returns [questions] the verdicts, in the order of each one's `pairs`
 */
export async function comparePairs(
  questions: readonly ComparedTexts[],
  equivalence: Equivalence,
  signal: AbortSignal | undefined,
): Promise<readonly (readonly ComparedPair[])[]> {
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

/**
 * @param pairs of n items
 * @returns whether two items are the same, in either order; those without a verdict are not
 */
export function lookUp(n: number, pairs: readonly ComparedPair[]): (i: number, j: number) => boolean {
  const same = new Uint8Array(n * n);
  for (const {
    pair: [i, j],
    same: verdict,
  } of pairs)
    if (verdict) same[i * n + j] = same[j * n + i] = 1;
  return (i, j) => same[i * n + j] === 1;
}
