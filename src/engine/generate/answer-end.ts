import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";

type Decode = TextTokenizer["decode"];

/** What ends an answer. */
export interface AnswerEnds {
  /** End tokens of the model and stop tokens of the sampler. */
  readonly isEndToken: (tokenId: number) => boolean;
  /** None for an answer that was cut off by length. */
  readonly stopStrings: readonly string[];
  readonly decode: Decode;
}

/** What of the generated tokens is the answer. */
export interface AnswerExtent {
  /** Without end token and stop string. */
  readonly text: string;
  /** Leading tokens that hold the text. */
  readonly answerTokenCount: number;
}

/**
 * Cuts off what ended an answer: its last token if that is an end token, and everything from the first stop string on; a
 * server may have generated tokens after it. A token that holds both the answer's last characters and the beginning of the
 * stop string counts as the answer's.
 * @param tokenIds [T] all that was generated
 */
export function cutAnswer(
  tokenIds: readonly number[],
  { isEndToken, stopStrings, decode }: AnswerEnds,
): AnswerExtent {
  const last = tokenIds.at(-1);
  const own = last !== undefined && isEndToken(last) ? tokenIds.slice(0, -1) : tokenIds;
  const whole = decode(own);
  const text = cutAtStopString(whole, stopStrings);
  const isCut = text.length < whole.length;
  return { text, answerTokenCount: isCut ? countTokensOf(own, text, decode) : own.length };
}

/**
 * How many leading tokens hold a text that the tokens begin with: the first of them, up to the one that completes it.
 * @returns the count, in [0, T]
 */
export function countTokensOf(tokenIds: readonly number[], text: string, decode: Decode): number {
  let low = 0;
  let high = tokenIds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (decode(tokenIds.slice(0, middle)).startsWith(text)) high = middle;
    else low = middle + 1;
  }
  // a broken character at the end reads U+FFFD from its first byte on: no token may be left over that is part of it
  const rest = decode(tokenIds).length - text.length;
  while (low < tokenIds.length && decode(tokenIds.slice(low)).length > rest) low++;
  return low;
}

/**
 * Whether the answer has just come to a stop string. Looks at the last tokens only: n bytes span at most n tokens, and
 * one more is put in front, since some tokenizers drop a space at the beginning of what they decode.
 */
export function endsInStopString(
  tokenIds: readonly number[],
  { stopStrings, decode }: Pick<AnswerEnds, "stopStrings" | "decode">,
): boolean {
  const last = tokenIds.at(-1);
  if (last === undefined || !stopStrings.some((stop) => mayComplete(last, stop, decode))) return false;
  const tail = decode(tokenIds.slice(-longestStop(stopStrings) - 1));
  return stopStrings.some((stop) => tail.includes(stop));
}

/**
 * Whether a stop string may end within a token, by the token's own text: most tokens lack its last character, and need not be
 * decoded with those before them. Behind another token a token keeps its leading space; one that is part of a character
 * reads U+FFFD, and one without text may change those before it.
 */
function mayComplete(tokenId: number, stop: string, decode: Decode): boolean {
  const twice = decode([tokenId, tokenId]);
  return twice === "" || twice.includes("\ufffd") || twice.includes([...stop].at(-1) as string);
}

/** How many tokens a stop string spans at most: as many as it has bytes; 0 without stop strings. */
export const longestStop = (stopStrings: readonly string[]): number =>
  Math.max(0, ...stopStrings.map((stop) => UTF8.encode(stop).length));

const UTF8 = new TextEncoder();

/** The text in front of the first stop string in it; all of it if there is none. */
function cutAtStopString(text: string, stopStrings: readonly string[]): string {
  const found = stopStrings.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
  return found.length === 0 ? text : text.slice(0, Math.min(...found));
}
