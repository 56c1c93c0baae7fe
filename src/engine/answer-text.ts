import { findSentences, type TextSpan } from "../text/find-sentences.ts";
import { findSteps } from "../text/find-steps.ts";
import { KNOWN_THINK_TAGS } from "./generate/split-reasoning.ts";
import type { TextTokenizer } from "./tokenizer/text-tokenizer.ts";

type Decode = TextTokenizer["decode"];

/** An answer as text, and where in it each of its tokens ends. */
export interface AnswerText {
  readonly text: string;
  /** [T] length of the text up to each token's end; that of a token that completes no character is its predecessor's. */
  readonly ends: readonly number[];
}

/** A unit of an answer: its text and the tokens that hold it. */
export interface AnswerUnit {
  /** Half-open, in tokens of the answer: from the one with the first character to the one with the last. */
  readonly tokens: readonly [start: number, end: number];
  /** Half-open, in UTF-16 units of the answer's text. */
  readonly text: TextSpan;
}

/**
 * The text that an answer's tokens spell.
 * @param tokenIds [T] of the answer, without what ended it
 * @param known    the answer's text: what its last token spells behind it, such as the beginning of a stop string, is left out
 */
export function readAnswerText(tokenIds: readonly number[], decode: Decode, known?: string): AnswerText {
  const whole = decode(tokenIds);
  const text = known !== undefined && whole.startsWith(known) ? known : whole;
  const pieces = endsByPieces(tokenIds, decode);
  // a decoder that changes what it has written, such as one that cleans spaces up, is asked again for every token
  const isSum = (pieces.at(-1) ?? 0) === whole.length;
  const ends = isSum ? pieces : tokenIds.map((_, i) => decode(tokenIds.slice(0, i + 1)).length);
  return { text, ends: ends.map((end) => Math.min(end, text.length)) };
}

/** Only the last few tokens are decoded again: a decoder may write a token in another way at the beginning of a text. */
function endsByPieces(tokenIds: readonly number[], decode: Decode): number[] {
  const ends: number[] = [];
  let context: readonly number[] = [];
  let pending: number[] = [];
  for (const [i, tokenId] of tokenIds.entries()) {
    const last = ends.at(-1) ?? 0;
    pending.push(tokenId);
    const before = decode(context);
    const whole = decode([...context, ...pending]);
    const isWhole = whole.length > before.length && (!whole.endsWith(BROKEN) || i === tokenIds.length - 1);
    ends.push(isWhole ? last + whole.length - before.length : last);
    if (!isWhole) continue;
    context = pending;
    pending = [];
  }
  return ends;
}

/**
 * Decodes one or two tokens once: {@link readAnswerText} asks for every token of an answer and for it and the one before.
 * @param expected answers that will be read; what most of their tokens take is asked for at once
 */
export function rememberDecoded(
  { decode, decodeEach }: Pick<TextTokenizer, "decode" | "decodeEach">,
  expected: Iterable<readonly number[]> = [],
): Decode {
  const known = new Map<string, string>();
  const remember = (key: string, text: string): void => {
    if (known.size < MOST_REMEMBERED && text.length <= LONGEST_TEXT) known.set(key, text);
  };
  if (decodeEach !== undefined) {
    const lists = [...listsOf(expected)];
    for (let from = 0; from < lists.length; from += LISTS_AT_A_TIME) {
      const part = lists.slice(from, from + LISTS_AT_A_TIME);
      for (const [i, text] of decodeEach(part.map(([, list]) => list)).entries())
        remember((part[i] as (typeof part)[number])[0], text);
    }
  }
  return (tokenIds) => {
    if (tokenIds.length > LONGEST_REMEMBERED) return decode(tokenIds);
    const key = tokenIds.join();
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const text = decode(tokenIds);
    remember(key, text);
    return text;
  };
}

/** Every token of the answers, and every two that follow each other, by what they are remembered by. */
function listsOf(answers: Iterable<readonly number[]>): Map<string, readonly number[]> {
  const lists = new Map<string, readonly number[]>();
  for (const tokenIds of answers) {
    for (const [i, tokenId] of tokenIds.entries()) {
      lists.set(`${tokenId}`, [tokenId]);
      if (i > 0) lists.set(`${tokenIds[i - 1]},${tokenId}`, [tokenIds[i - 1] as number, tokenId]);
      if (lists.size >= MOST_REMEMBERED) return lists;
    }
  }
  return lists;
}

const LISTS_AT_A_TIME = 8192;

const LONGEST_REMEMBERED = 2;
/** Some megabytes. */
const MOST_REMEMBERED = 100_000;
/** Texts of real tokens are shorter; a tokenizer from elsewhere may have others. */
const LONGEST_TEXT = 256;

/** What a decoder writes for bytes that are not a whole character. */
const BROKEN = "\uFFFD";

/**
 * The tokens that hold a stretch of an answer's text. A token with characters of two stretches belongs to both.
 * @returns null for a stretch beyond the text, or an empty one
 */
export function locateUnit({ text, ends }: AnswerText, [start, end]: TextSpan): AnswerUnit | null {
  if (start < 0 || start >= end || end > text.length) return null;
  const last = firstWith(ends, end);
  let first = firstWith(ends, start + 1);
  // the tokens before that hold the first bytes of its character
  while (first > 0 && ends[first - 1] === (ends[first - 2] ?? 0)) first -= 1;
  return { tokens: [first, last + 1], text: [start, end] };
}

/** @returns index of the first token up to whose end there are so many characters */
function firstWith(ends: readonly number[], length: number): number {
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! >= length) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The sentences of an answer, those of its reasoning included and the tags around it not. */
export function locateSentences(answer: AnswerText, thinking: ThinkingSpan): AnswerUnit[] {
  const { reasoning, rest } = partsOf(answer, thinking);
  return [...(reasoning === null ? [] : [reasoning]), rest].flatMap((part) =>
    locateWithin(answer, part, findSentences),
  );
}

/** The steps of an answer: those of its reasoning, or of all of it where there is no reasoning between tags. */
export function locateSteps(answer: AnswerText, thinking: ThinkingSpan): AnswerUnit[] {
  const { reasoning, rest } = partsOf(answer, thinking);
  return locateWithin(answer, reasoning ?? rest, findSteps);
}

/** Every token of an answer by itself. */
export const locateTokens = ({ ends }: AnswerText): AnswerUnit[] =>
  ends.map((end, i) => ({ tokens: [i, i + 1], text: [i === 0 ? 0 : ends[i - 1]!, end] }));

/** Token span of the reasoning, without its tags; see `RunRecord.think_token_indices`. */
type ThinkingSpan = readonly [number, number] | null;

/** The stretches of text within the tags and behind them. */
function partsOf(
  { text, ends }: AnswerText,
  thinking: ThinkingSpan,
): { readonly reasoning: TextSpan | null; readonly rest: TextSpan } {
  if (thinking === null) return { reasoning: null, rest: [0, text.length] };
  const [first, close] = thinking;
  const from = first === 0 ? 0 : ends[first - 1]!;
  const closed = ends[close]; // of the token that completes the closing tag
  if (closed === undefined) return { reasoning: [from, text.length], rest: [text.length, text.length] };
  const found = KNOWN_THINK_TAGS.map(({ close: tag }) => ({
    begin: text.lastIndexOf(tag, closed - tag.length),
    tag,
  })).toSorted((a, b) => b.begin - a.begin)[0]!;
  const to = found.begin >= from ? found.begin : ends[close - 1]!;
  const behind = found.begin >= from ? found.begin + found.tag.length : closed;
  return { reasoning: [from, to], rest: [behind, text.length] };
}

function locateWithin(
  answer: AnswerText,
  [from, to]: TextSpan,
  find: (text: string) => readonly TextSpan[],
): AnswerUnit[] {
  return find(answer.text.slice(from, to)).flatMap(
    ([start, end]) => locateUnit(answer, [from + start, from + end]) ?? [],
  );
}
