/**
 * A place: where in prompt + answer hidden states are read. See docs/positions.md for pictures of each. A new place is
 * an entry here; files that hold several tokens of an answer at one place tell their rows apart by the span. States are also
 * read while an answer is sampled, and then only those of its end and of the end of its reasoning are kept; a place anywhere
 * else is read by a trace.
 */
export interface Place {
  /** Whether all samples of a question share its one token, which is in the prompt. */
  readonly isShared: boolean;
  /** @returns none where the answer has no such token, such as the end of reasoning that was cut off */
  tokens(answer: PlacedAnswer, counting: Counting): readonly PlacedToken[];
}

/** An answer as far as places look at it, by the keys of a run record. */
export interface PlacedAnswer {
  readonly prompt_tokens: readonly number[];
  readonly tokens: readonly number[];
  readonly think_token_indices: readonly [number, number] | null;
  readonly think_status: "closed" | "truncated" | "none";
}

/** One token at a place. */
export interface PlacedToken {
  /** Index in `[...prompt_tokens, ...tokens]`. */
  readonly index: number;
  /** Of a place with many tokens per answer: half-open [start, end) of the `tokens` that this one stands for. */
  readonly span: TokenSpan | null;
}

export type TokenSpan = readonly [start: number, end: number];

/** How tokens are counted. */
export interface Counting {
  /** How many of `tokens` are the answer's; see `countAnswerTokens`. */
  readonly answerTokens: number;
  readonly indices: PositionIndices;
}

/**
 * How positions are counted.
 * - `exact`: as their names say.
 * - `oatml-compat`: as the code that was published with semantic entropy probes counts, to compare with its numbers.
 */
export const POSITION_INDICES = ["exact", "oatml-compat"] as const;
export type PositionIndices = (typeof POSITION_INDICES)[number];

/** How the positions of traced states were counted, by their file's metadata. */
export const indicesOf = ({ indices }: Readonly<Record<string, string>>): PositionIndices =>
  indices === "oatml-compat" ? indices : "exact";

/** Names of the places, in the order in which files have them. */
export const TRACE_POSITIONS = ["before-generation", "second-to-last", "think-end", "last-token"] as const;
export type TracePosition = (typeof TRACE_POSITIONS)[number];

/** Every place by its name. */
export const PLACES: Readonly<Record<TracePosition, Place>> = {
  /** TBG: the prompt's last token. */
  "before-generation": {
    isShared: true,
    tokens: ({ prompt_tokens }) => one(prompt_tokens.length - 1),
  },
  /**
   * SLT: the answer's last token, in front of the end token or stop string; where generation was cut off by length there
   * is neither, and it is the last generated token. An answer of an end token only has none.
   */
  "second-to-last": {
    isShared: false,
    tokens: (answer, counting) =>
      counting.indices === "oatml-compat"
        ? locateAsOatml(answer, counting, 2)
        : counting.answerTokens === 0
          ? NONE
          : one(answer.prompt_tokens.length + counting.answerTokens - 1),
  },
  /** The `</think>` token that the model itself generated. */
  "think-end": {
    isShared: false,
    tokens: ({ prompt_tokens, think_status, think_token_indices: span }) =>
      think_status === "closed" && span !== null ? one(prompt_tokens.length + span[1]) : NONE,
  },
  /** The last generated token, which is the end token, or the last of a stop string, where there was one. */
  "last-token": {
    isShared: false,
    tokens: (answer, counting) =>
      counting.indices === "oatml-compat"
        ? locateAsOatml(answer, counting, 1)
        : answer.tokens.length === 0
          ? NONE
          : one(answer.prompt_tokens.length + answer.tokens.length - 1),
  },
};

const NONE: readonly PlacedToken[] = [];
const one = (index: number): readonly PlacedToken[] => [{ index, span: null }];

/**
 * Index in `[...prompt_tokens, ...tokens]` of a place with one token per answer.
 * @param answerTokens how many of `tokens` are the answer's; see `countAnswerTokens`
 * @returns null if the answer has no such token
 */
export function locatePosition(
  answer: PlacedAnswer,
  position: TracePosition,
  answerTokens: number,
  indices: PositionIndices = "exact",
): number | null {
  return PLACES[position].tokens(answer, { answerTokens, indices })[0]?.index ?? null;
}

/** What tells a row of states or of a data set from the others. */
export interface RowKey {
  readonly place: TracePosition;
  readonly questionId: string;
  /** null for the row that all samples of a question share. */
  readonly runId: number | null;
  /** null at a place with one token per answer. */
  readonly span: TokenSpan | null;
}

/** A text that two rows share only if they are the same. */
export const rowKey = ({ place, questionId, runId, span }: RowKey): string =>
  JSON.stringify([place, questionId, runId, span]);

/**
 * Their `hidden[k]` is the state that generated token k was predicted from, so the token before it, and they take
 * `hidden[n - 1]` for the last of n answer tokens and `hidden[n - 2]` for the second to last: both are one token
 * early. With one answer token, `hidden[-1]` is Python's last element. n is the number of tokens of the text before the
 * end token or stop string, and 1 where that is empty.
 * @param fromEnd 1 for the last token, 2 for the second to last
 * @see OATML/semantic-entropy-probes, semantic_uncertainty/uncertainty/models/huggingface_models.py, `predict`
 */
function locateAsOatml(
  { prompt_tokens, tokens }: PlacedAnswer,
  { answerTokens }: Counting,
  fromEnd: 1 | 2,
): readonly PlacedToken[] {
  const steps = tokens.length;
  if (steps === 0) return NONE;
  const step = steps === 1 ? 0 : Math.max(1, answerTokens) - fromEnd;
  return one(prompt_tokens.length - 1 + (step < 0 ? steps + step : step));
}
