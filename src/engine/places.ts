import type { TextSpan } from "../text/find-sentences.ts";
import {
  type AnswerText,
  type AnswerUnit,
  locateSentences,
  locateSteps,
  locateTokens,
  locateUnit,
  readAnswerText,
} from "./answer-text.ts";
import { type GeneratedAnswer, type Reasoning, splitReasoning } from "./generate/split-reasoning.ts";
import type { TextTokenizer } from "./tokenizer/text-tokenizer.ts";

/**
 * A place: where in prompt + answer hidden states are read. See docs/positions.md for pictures of each. A new place is
 * an entry here; files that hold several tokens of an answer at one place tell their rows apart by the span.
 */
export interface Place {
  /** Whether all samples of a question share its one token, which is in the prompt. */
  readonly isShared: boolean;
  /** Whether its token may be the end token, or the last of a stop string, which are no part of the answer's text. */
  readonly mayBeEnd: boolean;
  /** @returns none where the answer has no such token, such as the end of reasoning that was cut off */
  tokens(answer: PlacedAnswer, counting: Counting): readonly PlacedToken[];
}

/** An answer as far as places look at it, by the keys of a run record. */
export interface PlacedAnswer {
  readonly prompt_tokens: readonly number[];
  readonly tokens: readonly number[];
  readonly think_token_indices: readonly [number, number] | null;
  readonly think_status: "closed" | "truncated" | "none";
  /** The answer's text, where it is known: without it, all that its tokens spell. */
  readonly output_text?: string;
  /** Stretches of the text that a user has marked. */
  readonly marked?: readonly TextSpan[];
}

/** One token at a place. */
export interface PlacedToken {
  /** Index in `[...prompt_tokens, ...tokens]`. */
  readonly index: number;
  /** Of a place with many tokens per answer: half-open [start, end) of the `tokens` that this one stands for, itself the last. */
  readonly span: TokenSpan | null;
  /** The same in the answer's text, in UTF-16 units. */
  readonly textSpan: TextSpan | null;
  /** That stretch of the text. */
  readonly text: string | null;
}

export type TokenSpan = readonly [start: number, end: number];

/** How tokens are counted. */
export interface Counting {
  /** How many of `tokens` are the answer's; see `countAnswerTokens`. */
  readonly answerTokens: number;
  readonly indices: PositionIndices;
  readonly decode: TextTokenizer["decode"];
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

/** Names of the places with one token per answer, in the order in which files have them. */
export const SINGLE_POSITIONS = ["before-generation", "second-to-last", "think-end", "last-token"] as const;
export type SinglePosition = (typeof SINGLE_POSITIONS)[number];
/** Names of the places with many tokens per answer. */
export const UNIT_POSITIONS = ["step-end", "sentence-end", "every-token", "spans"] as const;
export type UnitPosition = (typeof UNIT_POSITIONS)[number];
/** Names of the places, in the order in which files have them. */
export const TRACE_POSITIONS = [...SINGLE_POSITIONS, ...UNIT_POSITIONS] as const;
export type TracePosition = (typeof TRACE_POSITIONS)[number];

export const isUnitPosition = (position: TracePosition): position is UnitPosition =>
  (UNIT_POSITIONS as readonly string[]).includes(position);

/** Every place by its name. */
export const PLACES: Readonly<Record<TracePosition, Place>> = {
  /** TBG: the prompt's last token. */
  "before-generation": {
    isShared: true,
    mayBeEnd: false,
    tokens: ({ prompt_tokens }) => one(prompt_tokens.length - 1),
  },
  /**
   * SLT: the answer's last token, in front of the end token or stop string; where generation was cut off by length there
   * is neither, and it is the last generated token. An answer of an end token only has none.
   */
  "second-to-last": {
    isShared: false,
    mayBeEnd: false,
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
    mayBeEnd: true,
    tokens: ({ prompt_tokens, think_status, think_token_indices: span }) =>
      think_status === "closed" && span !== null ? one(prompt_tokens.length + span[1]) : NONE,
  },
  /** The last generated token, which is the end token, or the last of a stop string, where there was one. */
  "last-token": {
    isShared: false,
    mayBeEnd: true,
    tokens: (answer, counting) =>
      counting.indices === "oatml-compat"
        ? locateAsOatml(answer, counting, 1)
        : answer.tokens.length === 0
          ? NONE
          : one(answer.prompt_tokens.length + answer.tokens.length - 1),
  },
  /** The last token of each step of the reasoning. */
  "step-end": many((text, { think_token_indices: thinking }) => locateSteps(text, thinking)),
  /** The last token of each sentence, those of the reasoning included. */
  "sentence-end": many((text, { think_token_indices: thinking }) => locateSentences(text, thinking)),
  /** Each token of the answer. */
  "every-token": many(locateTokens),
  /** The last token of each stretch that a user has marked. */
  spans: many((text, { marked = [] }) => marked.flatMap((span) => locateUnit(text, span) ?? [])),
};

/** A place at the last token of each of an answer's units; units of the same tokens are one. */
function many(locate: (text: AnswerText, answer: PlacedAnswer) => readonly AnswerUnit[]): Place {
  return {
    isShared: false,
    mayBeEnd: false,
    tokens(answer, { answerTokens, decode }) {
      const { prompt_tokens, tokens, output_text } = answer;
      const read = readAnswerText(tokens.slice(0, answerTokens), decode, output_text);
      const distinct = new Map<string, PlacedToken>();
      for (const { tokens: span, text: textSpan } of locate(read, answer)) {
        const key = span.join();
        const index = prompt_tokens.length + span[1] - 1;
        if (!distinct.has(key))
          distinct.set(key, { index, span, textSpan, text: read.text.slice(...textSpan) });
      }
      return [...distinct.values()];
    },
  };
}

const NONE: readonly PlacedToken[] = [];
const one = (index: number): readonly PlacedToken[] => [{ index, span: null, textSpan: null, text: null }];

/** An answer taken apart, and its tokens at each place. */
export interface AnswerPlaces {
  readonly reasoning: Reasoning;
  tokensAt(position: TracePosition): readonly PlacedToken[];
  /** The token of a place: of one with many tokens per answer, the last. null if the answer has no such token. */
  lastAt(position: TracePosition): PlacedToken | null;
}

/**
 * Finds the places of an answer that a model has just generated.
 * @param tokenizer of that model
 * @param indices how the tokens are counted
 */
export function placeAnswer(
  tokenizer: Pick<TextTokenizer, "tokenId" | "decode" | "addedTokens">,
  {
    tokenIds: promptIds,
    opensReasoning,
  }: { readonly tokenIds: readonly number[]; readonly opensReasoning: boolean },
  { tokenIds, text, answerTokenCount }: Omit<GeneratedAnswer, "opensReasoning">,
  indices: PositionIndices = "exact",
): AnswerPlaces {
  const reasoning = splitReasoning(tokenizer, { tokenIds, text, answerTokenCount, opensReasoning });
  const answer: PlacedAnswer = {
    prompt_tokens: promptIds,
    tokens: tokenIds,
    think_token_indices: reasoning.span,
    think_status: reasoning.status,
    output_text: text,
  };
  const counting: Counting = { answerTokens: answerTokenCount, indices, decode: tokenizer.decode };
  const tokensAt = (position: TracePosition): readonly PlacedToken[] =>
    PLACES[position].tokens(answer, counting);
  return { reasoning, tokensAt, lastAt: (position) => tokensAt(position).at(-1) ?? null };
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
