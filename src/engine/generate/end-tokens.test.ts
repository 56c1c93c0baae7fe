import { expect, it } from "vitest";
import { createConfigReader } from "../graph/config-reader.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";
import { readEndTokens } from "./end-tokens.ts";
import { readGenerationDefaults } from "./generation-defaults.ts";

const tokenizer = (tokens: Record<string, { id: number; special: boolean }>, endToken: string | null) =>
  ({
    addedTokens: new Map(Object.entries(tokens)),
    endToken,
    tokenId: (text: string) => tokens[text]?.id ?? null,
  }) as unknown as TextTokenizer;
const config = (fields: Record<string, unknown>) => createConfigReader("config.json", fields);

it("joins what every file names, and the turn ends that are special tokens", () => {
  const llama3 = tokenizer(
    { "<|end_of_text|>": { id: 1, special: true }, "<|eot_id|>": { id: 9, special: true } },
    "<|end_of_text|>",
  );
  const ends = readEndTokens({
    generation: config({ eos_token_id: [1, 8] }),
    config: config({ eos_token_id: 2 }),
    tokenizer: llama3,
  });
  expect([...ends].sort((a, b) => a - b)).toEqual([1, 2, 8, 9]);
});

it("takes no turn end that is ordinary text, or that is not there", () => {
  const plain = tokenizer({ "<|end|>": { id: 5, special: false } }, null);
  expect([...readEndTokens({ generation: null, config: config({}), tokenizer: plain })]).toEqual([]);
});

it("reads how a model's authors sample, if they do", () => {
  expect(readGenerationDefaults(null)).toBeNull();
  expect(readGenerationDefaults(config({ temperature: 0.7 }))).toBeNull();
  expect(
    readGenerationDefaults(config({ do_sample: true, temperature: 0.6, top_k: 20, top_p: null, min_p: 0.1 })),
  ).toEqual({ temperature: 0.6, topK: 20, minP: 0.1 });
  expect(() => readGenerationDefaults(config({ do_sample: true, top_p: "0.9" }))).toThrow(/"top_p" is "0.9"/);
});
