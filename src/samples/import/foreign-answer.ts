import type { BestAnswer, SampledQuestion } from "../sampled-question.ts";

/** One answer as another tool stored it; null where it says nothing. */
export interface ForeignAnswer {
  readonly runId: number | null;
  readonly text: string;
  /** The answer within the text; undefined where the tool looked for none, null where it found none. */
  readonly extracted: string | null | undefined;
  readonly tokenLogprobs: readonly number[] | null;
  readonly sumLogprob: number | null;
  readonly tokenCount: number | null;
  readonly tokenEntropies: readonly number[] | null;
  /** undefined: not known; null: it did not reason. */
  readonly thinkSpan: readonly [number, number] | null | undefined;
  readonly isCorrect: boolean | null;
  readonly hiddenState: readonly number[] | null;
}

/** What is not known of an answer of which there is a text alone. */
export const TEXT_ONLY: Omit<ForeignAnswer, "text"> = {
  runId: null,
  extracted: undefined,
  tokenLogprobs: null,
  sumLogprob: null,
  tokenCount: null,
  tokenEntropies: null,
  thinkSpan: undefined,
  isCorrect: null,
  hiddenState: null,
};

/** What belongs to a question as a whole. */
export interface ForeignQuestion {
  readonly id: string;
  readonly question: string | null;
  readonly best: BestAnswer | null;
  readonly entailment: SampledQuestion["entailment"];
}

/**
 * A question and its answers as one record. What one of the answers lacks is not known of the question. An answer
 * without a number gets its place in the list.
 * @param answers [K]
 */
export function gatherAnswers(question: ForeignQuestion, answers: readonly ForeignAnswer[]): SampledQuestion {
  const all = <T>(read: (answer: ForeignAnswer) => T | null | undefined): T[] | null => {
    const values = answers.map(read);
    return values.some((value) => value === null || value === undefined) ? null : (values as T[]);
  };
  const spans = answers.map(({ thinkSpan }) => thinkSpan);
  const extracted = answers.map((answer) => answer.extracted);
  return {
    ...question,
    runIds: answers.map(({ runId }, place) => runId ?? place),
    texts: answers.map(({ text }) => text),
    extracted: extracted.includes(undefined) ? null : (extracted as (string | null)[]),
    tokenLogprobs: all(({ tokenLogprobs }) => tokenLogprobs),
    sumLogprobs: all(
      ({ tokenLogprobs, sumLogprob }) => tokenLogprobs?.reduce((sum, x) => sum + x, 0) ?? sumLogprob,
    ),
    tokenCounts: all(({ tokenLogprobs, tokenCount }) => tokenLogprobs?.length ?? tokenCount),
    tokenEntropies: all(({ tokenEntropies }) => tokenEntropies),
    thinkSpans: spans.includes(undefined) ? null : (spans as (readonly [number, number] | null)[]),
    isCorrect: all(({ isCorrect }) => isCorrect),
    hiddenStates: all(({ hiddenState }) => hiddenState),
  };
}
