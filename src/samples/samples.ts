import type { RunRecord } from "./run-record.ts";

/**
 * The K answers sampled to one question, as a struct of arrays. null: not known for at least one of the
 * answers, since the tool that sampled them does not say. Clusters, verdicts and hidden states are evidence about
 * samples and are kept beside them.
 */
export interface Samples {
  /** Of the question. */
  readonly id: string;
  readonly question: string | null;
  /** The full prompt, chat template included. */
  readonly prompt: string | null;
  /** [K] */
  readonly runIds: readonly number[];
  /** [K] the answers, without the reasoning. */
  readonly texts: readonly string[];
  /** [K] all that was generated, reasoning included. */
  readonly outputs: readonly string[] | null;
  /** [K] the answers found in `texts`, null if none was found. */
  readonly extracted: readonly (string | null)[] | null;
  /** [K][T_i] generated tokens. */
  readonly tokenIds: readonly (readonly number[])[] | null;
  /** [K][T_i] nats. */
  readonly tokenLogprobs: readonly (readonly number[])[] | null;
  /** [K] of each whole answer, nats. */
  readonly sumLogprobs: readonly number[] | null;
  /** [K] */
  readonly tokenCounts: readonly number[] | null;
  /** [K][T_i] nats. */
  readonly tokenEntropies: readonly (readonly number[])[] | null;
  /** [K] half-open [start, end) of the reasoning within the token lists; null if there was none. */
  readonly thinkSpans: readonly (readonly [number, number] | null)[] | null;
  /** [K] */
  readonly isCorrect: readonly boolean[] | null;
  /** The answer that counts as the model's, where one was sampled for that: greedy, or at a low temperature. */
  readonly best: BestAnswer | null;
}

/** Samples whose answers were extracted from the texts. */
export type ExtractedSamples = Samples & { readonly extracted: readonly (string | null)[] };

/** One answer, as the tool that sampled it recorded it; null: it does not say. */
export interface Answer {
  readonly runId: number | null;
  readonly text: string;
  readonly output: string | null;
  /** undefined: the tool looked for no answer within the text; null: it found none. */
  readonly extracted: string | null | undefined;
  readonly tokenIds: readonly number[] | null;
  readonly tokenLogprobs: readonly number[] | null;
  readonly sumLogprob: number | null;
  readonly tokenCount: number | null;
  readonly tokenEntropies: readonly number[] | null;
  /** undefined: not known; null: there was no reasoning. */
  readonly thinkSpan: readonly [number, number] | null | undefined;
  readonly isCorrect: boolean | null;
}

/** An answer that is not one of the samples. */
export type BestAnswer = Pick<Answer, "text" | "tokenLogprobs" | "tokenEntropies" | "isCorrect">;

/** An answer of which only the text is known. */
export const TEXT_ONLY: Omit<Answer, "text"> = {
  runId: null,
  output: null,
  extracted: undefined,
  tokenIds: null,
  tokenLogprobs: null,
  sumLogprob: null,
  tokenCount: null,
  tokenEntropies: null,
  thinkSpan: undefined,
  isCorrect: null,
};

/**
 * The answers to one question as one record. What is unknown of one answer is unknown of all. An answer without a run
 * id gets its place in the list.
 * @param answers [K]
 */
export function gatherSamples(
  question: Pick<Samples, "id" | "question" | "prompt" | "best">,
  answers: readonly Answer[],
): Samples {
  const spans = answers.map(({ thinkSpan }) => thinkSpan);
  const extracted = answers.map((answer) => answer.extracted);
  return {
    ...question,
    runIds: answers.map(({ runId }, place) => runId ?? place),
    texts: answers.map(({ text }) => text),
    outputs: allKnown(answers, ({ output }) => output),
    extracted: extracted.includes(undefined) ? null : (extracted as (string | null)[]),
    tokenIds: allKnown(answers, ({ tokenIds }) => tokenIds),
    tokenLogprobs: allKnown(answers, ({ tokenLogprobs }) => tokenLogprobs),
    sumLogprobs: allKnown(
      answers,
      ({ tokenLogprobs, sumLogprob }) => tokenLogprobs?.reduce((sum, x) => sum + x, 0) ?? sumLogprob,
    ),
    tokenCounts: allKnown(answers, ({ tokenLogprobs, tokenCount }) => tokenLogprobs?.length ?? tokenCount),
    tokenEntropies: allKnown(answers, ({ tokenEntropies }) => tokenEntropies),
    thinkSpans: spans.includes(undefined) ? null : (spans as (readonly [number, number] | null)[]),
    isCorrect: allKnown(answers, ({ isCorrect }) => isCorrect),
  };
}

/** [K] one value per answer; null if one of the answers has none. */
export function allKnown<A, T>(answers: readonly A[], read: (answer: A) => T | null): T[] | null {
  const values = answers.map(read);
  return values.includes(null) ? null : (values as T[]);
}

/** An answer has a token at least; an imported one has empty lists for what its tool did not write. */
const ifKnown = (list: readonly number[]): readonly number[] | null => (list.length === 0 ? null : list);

/** One line of a runs file as an answer. */
export const answerOf = (run: RunRecord): Answer => ({
  runId: run.run_id,
  text: run.answer_text,
  output: run.output_text,
  extracted: run.extracted_answer,
  tokenIds: ifKnown(run.tokens),
  tokenLogprobs: ifKnown(run.token_logprobs),
  sumLogprob: null,
  tokenCount: Math.max(run.tokens.length, run.token_logprobs.length, run.token_entropies.length) || null,
  tokenEntropies: ifKnown(run.token_entropies),
  thinkSpan: run.think_token_indices,
  isCorrect: run.is_correct,
});

/**
 * The lines of one question in a runs file.
 * @param runs [K] K >= 1, of one question
 * @param best the answer that counts as the model's own, where there is one
 */
export function samplesOf(runs: readonly RunRecord[], best: RunRecord | null = null): ExtractedSamples {
  const { question_id, question = null, prompt } = runs[0]!;
  const samples = gatherSamples(
    { id: question_id, question, prompt, best: best && answerOf(best) },
    runs.map(answerOf),
  );
  return samples as ExtractedSamples;
}

/** Rows by their question, questions in the order in which they first appear, rows in their own order. */
export function groupByQuestion<T extends { readonly question_id: string }>(
  rows: readonly T[],
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.question_id);
    if (group === undefined) groups.set(row.question_id, [row]);
    else group.push(row);
  }
  return groups;
}

/** One text for a run of a question, for maps. */
export const runKey = (questionId: string, runId: number): string => JSON.stringify([questionId, runId]);
