import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";
import { type AnswerExtent, countTokensOf } from "./answer-end.ts";

/** How the model's reasoning span ended in the *generated* tokens. */
export type ThinkStatus = "closed" | "truncated" | "none";

/** The tags around a model's reasoning. */
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

/** What was generated, and how the prompt ended. */
export interface GeneratedAnswer extends AnswerExtent {
  /** [T] the generated tokens */
  readonly tokenIds: readonly number[];
  /** The prompt's template already opened the reasoning, so that it starts at token 0. */
  readonly opensReasoning: boolean;
}

/**
 * Finds the reasoning in what the model generated; the prompt is never looked at. It ends at the first closing tag, and
 * an opening tag that is repeated at its head is not part of it. Where the tags are tokens, only these tokens count,
 * wherever they are, and not the same text spelled out; a closing one without an opening one ends what a prompt
 * opened. Where they have to be spelled out, an opening one counts at the very beginning only: anywhere else it is talk
 * about tags.
 */
export function splitReasoning(
  tokenizer: Pick<TextTokenizer, "tokenId" | "decode" | "addedTokens">,
  generated: GeneratedAnswer,
): Reasoning {
  const tags = findThinkTags(tokenizer);
  const [openId, closeId] = [tokenizer.tokenId(tags.open), tokenizer.tokenId(tags.close)];
  return openId === null || closeId === null
    ? splitSpelled(tags, generated, tokenizer.decode)
    : splitAtTokens({ openId, closeId }, generated, tokenizer.decode);
}

const answerOnly = (text: string): Reasoning => ({
  status: "none",
  span: null,
  thinkText: "",
  answerText: text.trim(),
});

function splitAtTokens(
  { openId, closeId }: { readonly openId: number; readonly closeId: number },
  { text, tokenIds, answerTokenCount, opensReasoning }: GeneratedAnswer,
  decode: TextTokenizer["decode"],
): Reasoning {
  const own = tokenIds.slice(0, answerTokenCount);
  const isBlank = (from: number, to: number): boolean => decode(own.slice(from, to)).trim() === "";
  const firstOpen = own.indexOf(openId);
  const firstClose = own.indexOf(closeId);
  // a prompt opened what closes before it opens, unless there is nothing in it
  const closesFirst =
    firstClose >= 0 && (firstOpen < 0 || (firstClose < firstOpen && !isBlank(0, firstClose)));
  if (!opensReasoning && !closesFirst && firstOpen < 0) return answerOnly(text);
  let start = opensReasoning || closesFirst ? 0 : firstOpen + 1;
  for (let open = own.indexOf(openId, start); open >= 0 && isBlank(start, open); ) {
    start = open + 1;
    open = own.indexOf(openId, start);
  }
  const close = own.indexOf(closeId, start);
  const end = close < 0 ? own.length : close;
  // the last token may hold the beginning of a stop string, which the text does not have
  const behindText = decode(own).length - text.length;
  const read = (tokens: readonly number[], to: number): string => {
    const decoded = decode(tokens);
    return decoded.slice(0, decoded.length - (to === own.length ? behindText : 0)).trim();
  };
  const reasoning = own.slice(start, end).filter((id) => id !== openId);
  return {
    status: close < 0 ? "truncated" : "closed",
    span: [start, end],
    thinkText: read(reasoning, end),
    answerText: close < 0 ? "" : read(own.slice(close + 1), own.length),
  };
}

function splitSpelled(
  { open, close }: ThinkTags,
  { text, tokenIds, answerTokenCount, opensReasoning }: GeneratedAnswer,
  decode: TextTokenizer["decode"],
): Reasoning {
  let from = 0;
  while (text.slice(from).trimStart().startsWith(open)) from = text.indexOf(open, from) + open.length;
  if (from === 0 && !opensReasoning) return answerOnly(text);
  const own = tokenIds.slice(0, answerTokenCount);
  const tokensUpTo = (length: number): number => countTokensOf(own, text.slice(0, length), decode);
  const start = tokensUpTo(from);
  const closeAt = text.indexOf(close, from);
  if (closeAt < 0)
    return {
      status: "truncated",
      span: [start, own.length],
      thinkText: text.slice(from).trim(),
      answerText: "",
    };
  const behind = closeAt + close.length;
  const end = tokensUpTo(behind) - 1; // the token that completes the tag
  return {
    status: "closed",
    span: [Math.min(start, end), end],
    thinkText: text.slice(from, closeAt).trim(),
    answerText: text.slice(behind).trim(),
  };
}
