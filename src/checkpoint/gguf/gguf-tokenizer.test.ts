import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import golden from "../../../test/golden/gguf/tokenizers.json" with { type: "json" };
import type { TextTokenizer } from "../../engine/tokenizer/text-tokenizer.ts";
import { openHere } from "../tokenizer/sandboxed-tokenizer.ts";
import { readGgufHeader } from "./gguf-header.ts";
import { createGgufMetadata } from "./gguf-metadata.ts";
import { spellGgufTokenizer } from "./gguf-tokenizer.ts";
import type { GgufValue } from "./gguf-values.ts";
import { readGgufVocabulary } from "./gguf-vocabulary.ts";

const load = async (
  name: string,
  change?: (metadata: Map<string, GgufValue>) => unknown,
): Promise<TextTokenizer> => {
  const path = fileURLToPath(new URL(`../../../test/golden/gguf/tokenizer-${name}.gguf`, import.meta.url));
  const header = await readGgufHeader(path);
  const values = new Map(header.metadata);
  change?.(values);
  const metadata = createGgufMetadata("m.gguf", values);
  return openHere(spellGgufTokenizer(metadata, readGgufVocabulary(metadata, 1000), "llama")).tokenizer;
};

describe.each(Object.entries(golden.ids))("the tokenizer %s", (name, idsOfTexts) => {
  it("gives the reference's ids, and the texts back", async () => {
    const tokenizer = await load(name);
    let compared = 0;
    golden.texts.forEach((text, i) => {
      const ids = idsOfTexts[i];
      if (ids === null || ids === undefined) return;
      compared++;
      expect(tokenizer.encode(text, { specialTokens: true }), JSON.stringify(text)).toEqual(ids);
      const own = tokenizer.encode(text, { specialTokens: false });
      if (own.length > 0) expect(tokenizer.decode(own)).toBe(asDecoded(name, text));
    });
    expect(compared).toBeGreaterThan(30);
  });
});

/** Qwen's vocabulary composes text; and the library's decoder of byte tokens takes U+FEFF for a byte order mark. */
const asDecoded = (name: string, text: string): string =>
  name === "qwen2" ? text.normalize("NFC") : name === "llama" ? text.replace("\ufeff", "") : text;

describe("SentencePiece", () => {
  it("puts a space before the text and after special tokens, as llama.cpp does, unless the file says no", async () => {
    const pieces = (tokenizer: TextTokenizer, text: string): string[] =>
      tokenizer.encode(text, { specialTokens: false }).map((id) => tokenizer.decode([id]));
    const withSpaces = await load("llama");
    expect(pieces(withSpaces, "<|im_end|>a")).toEqual(["<|im_end|>", "a"]);
    const a = withSpaces.tokenId("▁a");
    expect(withSpaces.encode("<|im_end|>a", { specialTokens: false })[1]).toBe(a);
    const without = await load("llama", (values) => values.set("tokenizer.ggml.add_space_prefix", false));
    expect(without.encode("a", { specialTokens: false })).toEqual([without.tokenId("a")]);
  });

  it("adds the tokens that the file asks for", async () => {
    const none = await load("llama", (values) => values.set("tokenizer.ggml.add_bos_token", false));
    expect(none.encode("", { specialTokens: true })).toEqual([]);
    const both = await load("llama", (values) => values.set("tokenizer.ggml.add_eos_token", true));
    expect(both.encode("", { specialTokens: true })).toEqual([1, 2]);
  });
});

describe("a byte-level vocabulary", () => {
  it("may have normal tokens in plain text, which are spelled in bytes then", async () => {
    const change = (values: Map<string, GgufValue>): void => {
      const tokens = [...(values.get("tokenizer.ggml.tokens") as string[])];
      tokens[tokens.indexOf("Ġt")] = " t";
      values.set("tokenizer.ggml.tokens", tokens);
    };
    const [plain, spelled] = [await load("gpt-2"), await load("gpt-2", change)];
    const ids = plain.encode("a to the", { specialTokens: false });
    expect(spelled.encode("a to the", { specialTokens: false })).toEqual(ids);
    expect(spelled.decode(ids)).toBe("a to the");
  });

  it("names a token without text, and keeps names that objects have", async () => {
    const tokenizer = await load("gpt-2", (values) => {
      const tokens = [...(values.get("tokenizer.ggml.tokens") as string[]), "", "__proto__", "constructor"];
      values.set("tokenizer.ggml.tokens", tokens);
      values.delete("tokenizer.ggml.token_type");
    });
    const ids = ["[EMPTY_602]", "__proto__", "constructor"].map(tokenizer.tokenId);
    expect(ids).toEqual([602, 603, 604]);
  });
});

describe("metadata that make no tokenizer", () => {
  it.each<[string, string, GgufValue | undefined, string, RegExp]>([
    ["another model", "tokenizer.ggml.model", "t5", "unsupported-model", /tokenizer "t5" is not implemented/],
    [
      "an unknown pre-tokenizer",
      "tokenizer.ggml.pre",
      "x",
      "unsupported-model",
      /"tokenizer.ggml.pre" is "x", and gpt-2/,
    ],
    [
      "no pre-tokenizer",
      "tokenizer.ggml.pre",
      undefined,
      "unsupported-model",
      /"tokenizer.ggml.pre" is missing/,
    ],
    ["no tokens", "tokenizer.ggml.tokens", undefined, "bad-checkpoint", /"tokenizer.ggml.tokens" is missing/],
    [
      "a token twice",
      "tokenizer.ggml.tokens",
      ["a", "b", "a"],
      "bad-checkpoint",
      /"a" is in the vocabulary twice/,
    ],
    [
      "too many tokens",
      "tokenizer.ggml.tokens",
      Array(1001).fill("a"),
      "bad-checkpoint",
      /table has 1000 rows/,
    ],
    [
      "too few types",
      "tokenizer.ggml.token_type",
      Float64Array.of(1),
      "bad-checkpoint",
      /602 tokens and 1 token types/,
    ],
    [
      "numbers for merges",
      "tokenizer.ggml.merges",
      Float64Array.of(1),
      "bad-checkpoint",
      /is an array of 1, expected/,
    ],
    [
      "half a merge",
      "tokenizer.ggml.merges",
      ["a b", "ab"],
      "bad-checkpoint",
      /merge "ab" is not two tokens/,
    ],
    [
      "an end token beyond the vocabulary",
      "tokenizer.ggml.eos_token_id",
      602,
      "bad-checkpoint",
      /is 602, and there are 602/,
    ],
    [
      "a BOS to add and none named",
      "tokenizer.ggml.bos_token_id",
      undefined,
      "bad-checkpoint",
      /bos_token_id", which is missing/,
    ],
    [
      "a template that is no text",
      "tokenizer.chat_template",
      7,
      "bad-checkpoint",
      /"tokenizer.chat_template" is 7/,
    ],
  ])("%s", async (_, key, value, code, message) => {
    const loading = load("llama-bpe", (values) => {
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    });
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toMatchObject({ code });
  });

  it("scores that are missing", async () => {
    const loading = load("llama", (values) => values.set("tokenizer.ggml.scores", new Float64Array(3)));
    await expect(loading).rejects.toThrow(/tokens and 3 scores/);
  });
});
