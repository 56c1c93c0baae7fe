/**
 * One question and the K answers that were drawn to it, as far as the tool that drew them says. null: it does not
 * say, for at least one of the answers.
 */
export interface SampledQuestion {
  readonly id: string;
  readonly question: string | null;
  /** [K] */
  readonly runIds: readonly number[];
  /** [K] what was answered, without the reasoning. */
  readonly texts: readonly string[];
  /** [K] the answers found in `texts`, null where none was found. */
  readonly extracted: readonly (string | null)[] | null;
  /** [K][T_i] nats. */
  readonly tokenLogprobs: readonly (readonly number[])[] | null;
  /** [K] of each whole answer, nats. */
  readonly sumLogprobs: readonly number[] | null;
  /** [K] */
  readonly tokenCounts: readonly number[] | null;
  /** [K][T_i] nats. */
  readonly tokenEntropies: readonly (readonly number[])[] | null;
  /** [K] half-open [start, end) of the reasoning within the token lists; null where there was none. */
  readonly thinkSpans: readonly (readonly [number, number] | null)[] | null;
  /** [K] */
  readonly isCorrect: readonly boolean[] | null;
  /** [K][D] one hidden state an answer. */
  readonly hiddenStates: readonly ArrayLike<number>[] | null;
  /** [K][K] what an NLI model said of answer j given answer i. */
  readonly entailment:
    | readonly (readonly {
        readonly entailment: number;
        readonly neutral: number;
        readonly contradiction: number;
      }[])[]
    | null;
  /** The answer that counts as the model's, where one was drawn for that: greedy, or at a low temperature. */
  readonly best: BestAnswer | null;
}

/** An answer that is not one of the samples. */
export interface BestAnswer {
  readonly text: string;
  /** [T] nats. */
  readonly tokenLogprobs: readonly number[] | null;
  /** [T] nats. */
  readonly tokenEntropies: readonly number[] | null;
  readonly isCorrect: boolean | null;
}
