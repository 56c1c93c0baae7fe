import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadTextTokenizer } from "./load-text-tokenizer.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));

test("text comes back from its tokens, special ones included, and no tokens are no text", async () => {
  const tokenizer = await loadTextTokenizer(CHECKPOINT);
  const text = "<think>2 + 2 = é</think>\n<|end|>";
  expect(tokenizer.decode(tokenizer.encode(text, { specialTokens: false }))).toBe(text);
  expect(tokenizer.decode([])).toBe("");
  expect(tokenizer.tokenId("<|end|>")).toBe(257);
  expect(tokenizer.tokenId("no such token")).toBeNull();
});
