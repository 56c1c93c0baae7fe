import { SepError } from "../errors.ts";
import type { ChatMessage, TextTokenizer } from "../models/text-tokenizer.ts";
import { THINK_CLOSE, THINK_OPEN } from "./split-reasoning.ts";

/**
 * How a question becomes a prompt: `chat` is the model's own chat template, `notebook` is
 * `Question: …\nAnswer:`, `auto` is chat where the model has a template and notebook where not.
 */
export const PROMPT_FORMATS = ["auto", "chat", "notebook"] as const;
export type PromptFormat = (typeof PROMPT_FORMATS)[number];

export interface PromptOptions {
  readonly format?: PromptFormat;
  readonly systemPrompt?: string | undefined;
  /** For chat templates that can switch reasoning off; undefined leaves the template's default. */
  readonly enableThinking?: boolean | undefined;
}

export interface Prompt {
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** The template itself opened the reasoning, so that the answer starts inside it. */
  readonly opensReasoning: boolean;
}

/** @throws SepError `bad-option` when the chat format is asked for and the model has none */
export function buildPrompt(
  tokenizer: TextTokenizer,
  question: string,
  { format = "auto", systemPrompt, enableThinking }: PromptOptions = {},
): Prompt {
  const { renderChat } = tokenizer;
  if (format === "notebook" || (format === "auto" && renderChat === null)) {
    const head = systemPrompt === undefined ? "" : `${systemPrompt}\n\n`;
    const text = `${head}Question: ${question}\nAnswer:`;
    return { text, tokenIds: tokenizer.encode(text, { specialTokens: true }), opensReasoning: false };
  }
  if (renderChat === null) {
    throw new SepError(
      "bad-option",
      "Got prompt format chat, and this model has no chat template. Use --prompt-format notebook.",
    );
  }
  const messages: ChatMessage[] = [
    ...(systemPrompt === undefined ? [] : [{ role: "system", content: systemPrompt } as const]),
    { role: "user", content: question },
  ];
  const text = renderChat(messages, { addGenerationPrompt: true, enableThinking });
  const turns = renderChat(messages, { addGenerationPrompt: false, enableThinking });
  // only what the template adds for the assistant counts: a question may itself mention the tags
  const added = text.startsWith(turns) ? text.slice(turns.length) : "";
  return {
    text,
    tokenIds: tokenizer.encode(text, { specialTokens: false }), // the template has them already
    opensReasoning: added.lastIndexOf(THINK_OPEN) > added.lastIndexOf(THINK_CLOSE),
  };
}
