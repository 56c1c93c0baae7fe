import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";

/** The text of an answer, piece by piece while it is generated. */
export interface TextDeltas {
  /**
   * The text that is certain after one more token, and was not before: "" while a character is incomplete, or while
   * the text may be the beginning of a stop string.
   */
  push(tokenId: number): string;
  /** @param text the whole answer, now that it has ended @returns what of it is still to be shown */
  end(text: string): string;
}

/**
 * Joined, the deltas are the answer's text, where the tokenizer decodes a longer sequence to a longer text. Only the
 * last few tokens are decoded again, unless the tokenizer decodes piece by piece: a decoder may write a token in another way
 * at the beginning of a text.
 */
export function createTextDeltas(
  { decode, decodesPiecewise = false }: Pick<TextTokenizer, "decode" | "decodesPiecewise">,
  stopStrings: readonly string[],
): TextDeltas {
  let shown = "";
  let held = "";
  /** Decoded already, and kept in front of what comes. */
  let context: number[] = [];
  let pending: number[] = [];
  const show = (text: string): string => {
    shown += text;
    return text;
  };
  return {
    push(tokenId) {
      pending.push(tokenId);
      const before = decode(context);
      const whole = decode([...context, ...pending]);
      if (whole.length <= before.length || whole.endsWith(BROKEN)) return "";
      if (!decodesPiecewise) context = pending;
      pending = [];
      held += whole.slice(before.length);
      const certain = held.length - beginningOfStop(held, stopStrings);
      const text = held.slice(0, certain);
      held = held.slice(certain);
      return show(text);
    },
    end: (text) => (text.startsWith(shown) ? show(text.slice(shown.length)) : ""),
  };
}

/** What a decoder writes for bytes that are not a whole character. */
const BROKEN = "\uFFFD";

/** Length of the longest end of a text that a stop string begins with. */
function beginningOfStop(text: string, stopStrings: readonly string[]): number {
  let longest = 0;
  for (const stop of stopStrings)
    for (let length = Math.min(text.length, stop.length); length > longest; length--)
      if (stop.startsWith(text.slice(-length))) longest = length;
  return longest;
}
