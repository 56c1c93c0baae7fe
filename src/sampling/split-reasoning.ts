import type { TextTokenizer } from "../models/text-tokenizer.ts";
import type { ThinkStatus } from "./run-record.ts";

export const THINK_OPEN = "<think>";
export const THINK_CLOSE = "</think>";

/** A generated answer taken apart. */
export interface Reasoning {
  readonly status: ThinkStatus;
  /** Half-open token span of the reasoning; see `RunRecord.think_token_indices`. */
  readonly span: readonly [number, number] | null;
  readonly thinkText: string;
  readonly answerText: string;
}

/**
 * Finds the reasoning in what the model generated; the prompt is never looked at.
 * @param text the generated tokens as text, without end token and stop string
 * @param tokenIds [T] the generated tokens
 * @param opensReasoning the prompt's template already opened it, so that it starts at token 0
 */
export function splitReasoning(
  tokenizer: Pick<TextTokenizer, "tokenId" | "decode">,
  {
    text,
    tokenIds,
    opensReasoning,
  }: { readonly text: string; readonly tokenIds: readonly number[]; readonly opensReasoning: boolean },
): Reasoning {
  const start = opensReasoning ? 0 : findTag(tokenizer, tokenIds, THINK_OPEN, 0) + 1;
  const openAt = opensReasoning ? 0 : text.indexOf(THINK_OPEN);
  if (openAt < 0 || (start === 0 && !opensReasoning)) {
    return { status: "none", span: null, thinkText: "", answerText: text.trim() };
  }
  const textStart = opensReasoning ? 0 : openAt + THINK_OPEN.length;
  const close = findTag(tokenizer, tokenIds, THINK_CLOSE, start);
  const closeAt = text.indexOf(THINK_CLOSE, textStart);
  if (close < 0 || closeAt < 0) {
    const thinkText = text.slice(textStart).trim();
    return { status: "truncated", span: [start, tokenIds.length], thinkText, answerText: "" };
  }
  return {
    status: "closed",
    span: [start, close],
    thinkText: text.slice(textStart, closeAt).trim(),
    answerText: text.slice(closeAt + THINK_CLOSE.length).trim(),
  };
}

/**
 * Index of the token that is the tag or, where the tokenizer has no such token, of the one that completes it.
 * @returns -1 if it does not occur from `from` on
 */
function findTag(
  tokenizer: Pick<TextTokenizer, "tokenId" | "decode">,
  tokenIds: readonly number[],
  tag: string,
  from: number,
): number {
  const id = tokenizer.tokenId(tag);
  if (id !== null) return tokenIds.indexOf(id, from);
  for (let end = from; end < tokenIds.length; end++) {
    // each token is at least one character of the tag, so its last tokens hold all of it
    const first = Math.max(from, end + 1 - tag.length);
    if (tokenizer.decode(tokenIds.slice(first, end + 1)).includes(tag)) return end;
  }
  return -1;
}
