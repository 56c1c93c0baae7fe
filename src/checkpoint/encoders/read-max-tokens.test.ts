import { expect, it } from "vitest";
import { createConfigReader } from "../../engine/graph/config-reader.ts";
import { readMaxTokens, type TokenLimits } from "./read-max-tokens.ts";

const read = (config: object, limits: Partial<TokenLimits> = {}): number =>
  readMaxTokens({
    config: createConfigReader("config.json", { ...config }),
    tokenizer: {},
    positions: null,
    asked: [],
    ...limits,
  });

it("is the smallest of all limits that are stated", () => {
  expect(read({ max_position_embeddings: 512 })).toBe(512);
  expect(read({ max_position_embeddings: 514 }, { tokenizer: { model_max_length: 512 } })).toBe(512);
  expect(read({ max_position_embeddings: 512 }, { tokenizer: { model_max_length: 1e30 } })).toBe(512);
  // RoBERTa's positions begin behind its padding token
  expect(read({ max_position_embeddings: 514 }, { positions: 512 })).toBe(512);
  expect(read({ max_position_embeddings: 512 }, { asked: [null, 256, undefined] })).toBe(256);
});

it("is refused where nothing states it, or no text would fit", () => {
  const refusal = (code: string): Error => expect.objectContaining({ code }) as Error;
  expect(() => read({})).toThrow(refusal("bad-checkpoint"));
  for (const asked of [7, 12.5])
    expect(() => read({ max_position_embeddings: 512 }, { asked: [asked] })).toThrow(refusal("bad-option"));
});
