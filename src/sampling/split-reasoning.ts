import type { TextTokenizer } from "../models/tokenizer/text-tokenizer.ts";
import type { ThinkStatus } from "./run-record.ts";

/** What stands around a model's reasoning. */
export interface ThinkTags {
  readonly open: string;
  readonly close: string;
}

/** Tags that reasoning models have among their tokens, the commonest first. */
export const KNOWN_THINK_TAGS: readonly ThinkTags[] = [
  { open: "<think>", close: "</think>" }, // DeepSeek-R1, Qwen3, SmolLM3
  { open: "[THINK]", close: "[/THINK]" }, // Magistral
  { open: "<seed:think>", close: "</seed:think>" }, // Seed-OSS
  { open: "<|START_THINKING|>", close: "<|END_THINKING|>" }, // Command A Reasoning
  { open: "<|THINK_START|>", close: "<|THINK_END|>" }, // Step-Audio
  { open: "<thought>", close: "</thought>" }, // EXAONE Deep
  { open: "<thinking>", close: "</thinking>" },
  { open: "<reasoning>", close: "</reasoning>" },
];

/**
 * The tags of a model: the first known pair of which its tokenizer has both as tokens of their own, else
 * `<think>` and `</think>`, which it then spells in pieces.
 */
export function findThinkTags({ addedTokens }: Pick<TextTokenizer, "addedTokens">): ThinkTags {
  const own = KNOWN_THINK_TAGS.find(({ open, close }) => addedTokens.has(open) && addedTokens.has(close));
  return own ?? (KNOWN_THINK_TAGS[0] as ThinkTags);
}

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
  tokenizer: Pick<TextTokenizer, "tokenId" | "decode" | "addedTokens">,
  {
    text,
    tokenIds,
    opensReasoning,
  }: { readonly text: string; readonly tokenIds: readonly number[]; readonly opensReasoning: boolean },
): Reasoning {
  const { open, close } = findThinkTags(tokenizer);
  const none: Reasoning = { status: "none", span: null, thinkText: "", answerText: text.trim() };
  const openAt = opensReasoning ? 0 : text.indexOf(open);
  if (openAt < 0) return none; // before the tokens, which may have to be decoded one after another
  const start = opensReasoning ? 0 : findTag(tokenizer, tokenIds, open, 0) + 1;
  if (start === 0 && !opensReasoning) return none;
  const textStart = opensReasoning ? 0 : openAt + open.length;
  const closeToken = findTag(tokenizer, tokenIds, close, start);
  const closeAt = text.indexOf(close, textStart);
  if (closeToken < 0 || closeAt < 0) {
    const thinkText = text.slice(textStart).trim();
    return { status: "truncated", span: [start, tokenIds.length], thinkText, answerText: "" };
  }
  return {
    status: "closed",
    span: [start, closeToken],
    thinkText: text.slice(textStart, closeAt).trim(),
    answerText: text.slice(closeAt + close.length).trim(),
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
