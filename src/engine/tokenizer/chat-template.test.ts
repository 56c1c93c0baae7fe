import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type ChatMessage, createChatRenderer } from "./chat-template.ts";
import { createTextTokenizer, type TextTokenizer } from "./text-tokenizer.ts";

interface Golden {
  readonly added_tokens: readonly string[];
  readonly bos: Readonly<Record<string, string>>;
  readonly eos: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly template: string;
    readonly messages: readonly ChatMessage[];
    readonly options: { readonly add_generation_prompt: boolean; readonly enable_thinking?: boolean };
    readonly text?: string;
    readonly ids?: readonly number[];
    readonly error?: string;
  }[];
}

const ROOT = new URL("../../../", import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, ROOT), "utf8");
const GOLDEN = JSON.parse(await read("test/golden/chat-templates.json")) as Golden;
const POCKET = JSON.parse(await read("models/pocket/tokenizer.json")) as {
  readonly added_tokens: readonly { readonly id: number }[];
};

/** The embedded model's tokenizer with the templates' special tokens added, as the generator builds it. */
async function tokenizerFor(template: string): Promise<TextTokenizer> {
  const first = Math.max(...POCKET.added_tokens.map(({ id }) => id)) + 1;
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const added = GOLDEN.added_tokens.map((content, at) => ({ id: first + at, content, ...flags }));
  return createTextTokenizer({
    path: "tokenizer.json",
    sha256: "",
    tokenizer: { ...POCKET, added_tokens: [...POCKET.added_tokens, ...added] },
    config: {
      bos_token: GOLDEN.bos[template] ?? null,
      eos_token: GOLDEN.eos[template] ?? "<|im_end|>",
    },
    chatTemplate: await read(`test/golden/chat-templates/${template}.jinja`),
  });
}

describe.each([...new Set(GOLDEN.cases.map(({ template }) => template))])("the template %s", (template) => {
  it("gives the texts, the token ids and the refusals of transformers", async () => {
    const { renderChat, encode, decode } = await tokenizerFor(template);
    const cases = GOLDEN.cases.filter((each) => each.template === template);
    expect(cases.length).toBeGreaterThan(10);
    for (const { messages, options, text, ids, error } of cases) {
      const render = (): string | undefined =>
        renderChat?.(messages, {
          addGenerationPrompt: options.add_generation_prompt,
          enableThinking: options.enable_thinking,
        });
      if (error !== undefined) {
        expect(render).toThrow(error);
        continue;
      }
      expect(render()).toBe(text);
      expect(encode(text as string, { specialTokens: false })).toEqual(ids);
      expect(decode(ids as number[])).toBe(text);
    }
  });
});

describe("createChatRenderer", () => {
  const ask: readonly ChatMessage[] = [{ role: "user", content: "Why?" }];
  const render = (source: string): string =>
    createChatRenderer(source, {})(ask, { addGenerationPrompt: true });

  it("gives templates a date that does not change", () => {
    expect(render("{{ strftime_now('%d %b %Y, %d %B, %Y-%m-%d') }}")).toBe(
      "26 Jul 2024, 26 July, 2024-07-26",
    );
  });

  it("defines tools and documents as none, as transformers does", () => {
    expect(render("{{ tools is defined and tools is none and documents is none }}")).toBe("true");
  });

  it("reads a template when it is used, and says how to do without", () => {
    const broken = createChatRenderer("{% if %}", {});
    expect(() => broken(ask, { addGenerationPrompt: true })).toThrow(
      /chat template failed.*--prompt-format notebook/,
    );
  });
});
