import { describe, expect, it } from "vitest";
import type { ChatMessage, ChatOptions } from "../models/chat-template.ts";
import type { TextTokenizer } from "../models/text-tokenizer.ts";
import { buildPrompt } from "./build-prompt.ts";

const tokenizerWith = (renderChat: TextTokenizer["renderChat"]): TextTokenizer => ({
  sha256: "",
  encode: (text, { specialTokens }) => [...(specialTokens ? [1] : []), ...Buffer.from(text)],
  decode: (tokenIds) => Buffer.from(tokenIds).toString(),
  tokenId: () => null,
  addedTokens: new Map(),
  endToken: null,
  renderChat,
});

const chat =
  (opening: string) =>
  (messages: readonly ChatMessage[], { addGenerationPrompt }: ChatOptions): string =>
    messages.map(({ role, content }) => `[${role}]${content}`).join("") +
    (addGenerationPrompt ? `[assistant]${opening}` : "");

describe("buildPrompt", () => {
  it("uses the chat template where there is one, without adding special tokens twice", () => {
    const prompt = buildPrompt(tokenizerWith(chat("")), "Why?", { systemPrompt: "Be brief." });
    expect(prompt.text).toBe("[system]Be brief.[user]Why?[assistant]");
    expect(prompt.tokenIds).toEqual([...Buffer.from(prompt.text)]);
    expect(prompt.opensReasoning).toBe(false);
  });

  it("sees that the template opens the reasoning, and not that it opens and closes it", () => {
    expect(buildPrompt(tokenizerWith(chat("<think>\n")), "Why?").opensReasoning).toBe(true);
    expect(buildPrompt(tokenizerWith(chat("<think>\n\n</think>\n\n")), "Why?").opensReasoning).toBe(false);
  });

  it("is not deceived by a question that mentions the tags", () => {
    expect(buildPrompt(tokenizerWith(chat("")), "What does <think> do?").opensReasoning).toBe(false);
    expect(buildPrompt(tokenizerWith(chat("<think>")), "And </think>?").opensReasoning).toBe(true);
  });

  it("falls back to the notebook's format for models without a template, and only under auto", () => {
    const prompt = buildPrompt(tokenizerWith(null), "Why?");
    expect(prompt.text).toBe("Question: Why?\nAnswer:");
    expect(prompt.tokenIds[0], "special tokens of a bare text").toBe(1);
    expect(() => buildPrompt(tokenizerWith(null), "Why?", { format: "chat" })).toThrow(/no chat template/);
  });
});
