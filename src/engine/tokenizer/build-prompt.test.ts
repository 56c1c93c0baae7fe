import { describe, expect, it } from "vitest";
import { buildPrompt } from "./build-prompt.ts";
import type { ChatMessage, ChatOptions } from "./chat-template.ts";
import { createPromptTemplate } from "./prompt-format.ts";
import type { TextTokenizer } from "./text-tokenizer.ts";

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

  it("puts the text that a question is about before it, in every format", () => {
    const context = "Rome is old.\n";
    const bare = tokenizerWith(null);
    expect(buildPrompt(tokenizerWith(chat("")), "Why?", { context }).text).toBe(
      "[user]Context: Rome is old.\n\nWhy?[assistant]",
    );
    expect(buildPrompt(bare, "Why?", { context }).text).toBe(
      "Context: Rome is old.\nQuestion: Why?\nAnswer:",
    );
    const shots = [{ context: "Oslo is cold. ".repeat(5), question: "How?", answer: "cold" }];
    const fewShot = buildPrompt(bare, "Why?", { context, format: { kind: "few-shot", shots } });
    const asked = "Context: Rome is old.\nQuestion: Why?\nAnswer:";
    expect(fewShot.text).toMatch(/Context: Oslo.* cold\.\nQuestion: How\?\nAnswer: cold\n\nContext: Rome/);
    expect(fewShot.text.endsWith(asked)).toBe(true);
    // other questions share the examples, and those about the same text share it, too
    const shared = fewShot.sharedTokens!.map((count) => count - fewShot.tokenIds.length);
    expect(shared).toEqual([-asked.length, -"Why?\nAnswer:".length]);
    const template = createPromptTemplate("mine", "{context}|{question}|{system}");
    expect(buildPrompt(bare, "{system}?", { context, format: { kind: "template", template } }).text).toBe(
      "Rome is old.\n|{system}?|",
    );
    const without = createPromptTemplate("mine", "Q: {question}");
    expect(() =>
      buildPrompt(bare, "Why?", { context, format: { kind: "template", template: without } }),
    ).toThrow(/mine has no \{context\}.*--no-context/);
  });

  it("refuses a system prompt that the template takes none of, and says what to do", () => {
    const refusing = tokenizerWith((messages, options) => {
      if (messages[0]?.role === "system") throw new Error("System role not supported");
      return chat("")(messages, options);
    });
    const dropping = tokenizerWith((messages, options) =>
      chat("")(
        messages.filter(({ role }) => role !== "system"),
        options,
      ),
    );
    const options = { systemPrompt: "Be brief." };
    for (const [tokenizer, reason] of [
      [refusing, "System role not supported"],
      [dropping, "the template drops it"],
    ] as const) {
      expect(() => buildPrompt(tokenizer, "Why?", options)).toThrow(
        expect.objectContaining({ code: "bad-option", message: expect.stringContaining(reason) }),
      );
      expect(() => buildPrompt(tokenizer, "Why?", options)).toThrow(/Leave out --system-prompt/);
      expect(buildPrompt(tokenizer, "Why?").text).toBe("[user]Why?[assistant]");
    }
  });

  it("lets a template's other failures through as they are", () => {
    const failing = tokenizerWith(() => {
      throw new Error("no such filter");
    });
    expect(() => buildPrompt(failing, "Why?", { systemPrompt: "Be brief." })).toThrow(/^no such filter$/);
  });

  it("asks for reasoning between the model's own tags", () => {
    const own = new Map([
      ["[THINK]", { id: 1, special: true }],
      ["[/THINK]", { id: 2, special: true }],
    ]);
    const text = (tokenizer: TextTokenizer): string =>
      buildPrompt(tokenizer, "Why?", { format: "reasoning" }).text;
    expect(text(tokenizerWith(chat("")))).toMatch(
      /^\[user\]Why\?\n\n.*between <think> and <\/think>.*\\boxed\{\}\.\[assistant\]$/,
    );
    expect(text({ ...tokenizerWith(chat("")), addedTokens: own })).toMatch(
      /between \[THINK\] and \[\/THINK\]/,
    );
    expect(() => buildPrompt(tokenizerWith(null), "Why?", { format: "reasoning" })).toThrow(
      /no chat template/,
    );
  });

  it("shows shots in the papers' layout, and the system prompt in the place of their sentence", () => {
    const format = { kind: "few-shot", shots: [{ question: "1 + 1?", answer: "2" }] } as const;
    expect(buildPrompt(tokenizerWith(chat("")), "Why?", { format }).text).toBe(
      "Answer the following question as briefly as possible.\nQuestion: 1 + 1?\nAnswer: 2\n\nQuestion: Why?\nAnswer:",
    );
    expect(buildPrompt(tokenizerWith(null), "Why?", { format, systemPrompt: "Be brief." }).text).toMatch(
      /^Be brief\.\nQuestion: 1 \+ 1\?/,
    );
  });

  it("fills the user's own template in, and reads from it whether reasoning is open", () => {
    const template = createPromptTemplate("t.txt", "{system}|Q: {question} {x}\nA:\n");
    const format = { kind: "template", template } as const;
    const prompt = buildPrompt(tokenizerWith(chat("")), "Is {system} empty?", { format, systemPrompt: "S" });
    expect(prompt).toMatchObject({ text: "S|Q: Is {system} empty? {x}\nA:", opensReasoning: false });
    const thinking = createPromptTemplate("t.txt", "{question}\n<think>\n");
    expect(
      buildPrompt(tokenizerWith(null), "What is </think>?", {
        format: { kind: "template", template: thinking },
      }),
    ).toMatchObject({ text: "What is </think>?\n<think>", opensReasoning: true });
    expect(() =>
      buildPrompt(tokenizerWith(null), "Why?", {
        format: { kind: "template", template: thinking },
        systemPrompt: "S",
      }),
    ).toThrow(/t\.txt has no \{system\}/);
    expect(() => createPromptTemplate("t.txt", "{Question}")).toThrow(/t\.txt has no \{question\}/);
  });

  it("does not put a begin token in front of a template that begins with it", () => {
    const begin = String.fromCharCode(1); // which the fake tokenizer encodes as the token it puts in front
    const template = createPromptTemplate("t.txt", `${begin}{question}`);
    const format = { kind: "template", template } as const;
    expect(buildPrompt(tokenizerWith(null), "x", { format }).tokenIds).toEqual([1, 120]);
    expect(buildPrompt(tokenizerWith(null), "x", { format: "notebook" }).tokenIds.slice(0, 2)).toEqual([
      1, 81,
    ]);
  });

  describe("of a conversation", () => {
    const asked = (...roles: readonly ChatMessage["role"][]): ChatMessage[] =>
      roles.map((role, index) => ({ role, content: `m${index}` }));

    it("renders its messages, and a system prompt where it has no system message", () => {
      const turns = asked("user", "assistant", "user");
      const prompt = buildPrompt(tokenizerWith(chat("")), turns);
      expect(prompt.text).toBe("[user]m0[assistant]m1[user]m2[assistant]");
      expect(prompt.chat?.messages).toEqual(turns);
      expect(buildPrompt(tokenizerWith(chat("")), turns, { systemPrompt: "S" }).text).toMatch(
        /^\[system\]S\[user\]m0/,
      );
      const own = asked("system", "user");
      expect(buildPrompt(tokenizerWith(chat("")), own, { systemPrompt: "S" }).text).toBe(
        "[system]m0[user]m1[assistant]",
      );
      expect(buildPrompt(tokenizerWith(chat("")), turns, { format: "reasoning" }).text).toMatch(
        /^\[user\]m0\[assistant\]m1\[user\]m2\n\nFirst reason/,
      );
    });

    it("repeats the notebook's layout for each turn", () => {
      expect(buildPrompt(tokenizerWith(null), asked("system", "user", "assistant", "user")).text).toBe(
        "m0\n\nQuestion: m1\nAnswer: m2\n\nQuestion: m3\nAnswer:",
      );
    });

    it("is the question's prompt where it is one question", () => {
      for (const tokenizer of [tokenizerWith(chat("")), tokenizerWith(null)])
        expect(buildPrompt(tokenizer, [{ role: "user", content: "Why?" }])).toEqual(
          buildPrompt(tokenizer, "Why?"),
        );
    });

    it.each([
      [[]],
      [["assistant"]],
      [["user", "assistant"]],
      [["user", "user"]],
      [["user", "system", "user"]],
    ] as const)("refuses the roles %j", (roles) => {
      expect(() => buildPrompt(tokenizerWith(null), asked(...roles))).toThrow(/the user last/);
    });

    it("refuses several turns where the format takes one question", () => {
      const format = { kind: "few-shot", shots: [{ question: "1 + 1?", answer: "2" }] } as const;
      const turns = asked("user", "assistant", "user");
      expect(() => buildPrompt(tokenizerWith(null), turns, { format })).toThrow(
        /few-shot takes a single question/,
      );
    });
  });
});
