import type { LanguageModel } from "../language-model.ts";
import type { Prompt } from "../tokenizer/build-prompt.ts";
import { type PromptFormat, resolvePromptFormat } from "../tokenizer/prompt-format.ts";
import type { ReadAnswerOptions } from "./read-answer.ts";
import { findThinkTags, KNOWN_THINK_TAGS, type Reasoning, splitReasoning } from "./split-reasoning.ts";
import { tokeniseAnswer } from "./tokenise-answer.ts";

/** What a model needs to read a text; the weights are not looked at. */
type Reader = Pick<LanguageModel, "tokenizer" | "endTokenIds">;

/** A text that another model wrote, in the tokens of the one that reads it. */
interface ObservedAnswer {
  /** [T] tokens of the text and of its end. */
  readonly tokenIds: readonly number[];
  readonly text: string;
  /** How many of the tokens are the text's. */
  readonly answerTokenCount: number;
  readonly reasoning: Reasoning;
}

/**
 * Puts a text that another model wrote into the tokens with which `readAnswer` reads it, given {@link observerEnds}: what a
 * trace reads and what a live score reads are the same tokens.
 * @param prompt of the model that reads
 * @throws SepError `bad-option` for a text that continues after an end token of the reader
 */
export function observeAnswer(
  reader: Reader,
  prompt: Pick<Prompt, "opensReasoning">,
  written: string,
  { sampler, ending }: ObserverEnds,
): ObservedAnswer {
  const given = rewriteReasoning(reader, prompt, written);
  const { text, tokenIds: own, end = ending, answerTokenCount } = tokeniseAnswer(reader, given, sampler);
  const answer = { text, tokenIds: [...own, ...end], answerTokenCount };
  const { opensReasoning } = prompt;
  return { ...answer, reasoning: splitReasoning(reader.tokenizer, { ...answer, opensReasoning }) };
}

/**
 * A text with the think tags of the model that reads it in place of those of the model that wrote it. Where the reader's
 * prompt has opened the reasoning already, the text does not open it again, and a text without reasoning closes it at once.
 */
export function rewriteReasoning(
  { tokenizer }: Pick<Reader, "tokenizer">,
  { opensReasoning }: Pick<Prompt, "opensReasoning">,
  written: string,
): string {
  const { open, close } = findThinkTags(tokenizer);
  const begun = written.trimStart();
  const tags =
    KNOWN_THINK_TAGS.find((each) => begun.startsWith(each.open)) ??
    KNOWN_THINK_TAGS.find((each) => written.includes(each.close));
  if (tags === undefined) return opensReasoning ? `\n${close}\n\n${written}` : written;
  const isOpened = begun.startsWith(tags.open);
  const behind = isOpened ? begun.slice(tags.open.length) : written;
  const closed = behind.replace(tags.close, () => close);
  return opensReasoning ? closed : `${open}${isOpened ? "" : "\n"}${closed}`;
}

/** How the answers that an observer reads end. */
interface ObserverEnds extends Pick<ReadAnswerOptions, "sampler"> {
  readonly ending: readonly number[];
}

/**
 * What ends every answer that an observer reads: the end token of its own turns, however the writer's answer ended. No
 * stop string ends it, since the writer did not stop there.
 */
export const observerEnds = (reader: Reader, format: PromptFormat): ObserverEnds => ({
  sampler: { stopStrings: [], stopTokenIds: [] },
  ending: findTurnEnd(reader, format),
});

/** The end token that the chat template puts after an answer; the first one where there is no template or it has none. */
function findTurnEnd({ tokenizer, endTokenIds }: Reader, format: PromptFormat): readonly number[] {
  const first = [...endTokenIds].slice(0, 1);
  const { renderChat } = tokenizer;
  const resolved = resolvePromptFormat(format, tokenizer);
  if (renderChat === null || (resolved !== "chat" && resolved !== "reasoning")) return first;
  const messages = [
    { role: "user", content: "Question" },
    { role: "assistant", content: ANSWER },
  ] as const;
  const text = renderChat(messages, { addGenerationPrompt: false, enableThinking: undefined });
  const tail = text.slice(text.lastIndexOf(ANSWER) + ANSWER.length);
  const end = tokenizer.encode(tail, { specialTokens: false }).find((id) => endTokenIds.has(id));
  return end === undefined ? first : [end];
}

/** No template has it. */
const ANSWER = "Answer-of-the-assistant";
