import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import published from "../../test/golden/estimates-published.json" with { type: "json" };
import { loadModel } from "../checkpoint/load-model.ts";
import { logSumExp } from "../math/entropy.ts";
import { buildPTruePrompt, logPTrue, openPTruePrompt } from "./state-measures.ts";

const { asked, shots, few_shot, zero_shot } = published.p_true;

test("the published prompt, with examples and without", () => {
  expect(buildPTruePrompt(asked)).toBe(zero_shot);
  expect(buildPTruePrompt(asked, shots)).toBe(few_shot);
  expect(zero_shot.startsWith(openPTruePrompt([]))).toBe(true);
  expect(few_shot.startsWith(openPTruePrompt(shots))).toBe(true);
  expect(openPTruePrompt(shots).length).toBeGreaterThan(few_shot.length - zero_shot.length);
});

test("ln p of the last token of the prompt with A after it", async () => {
  const checkpoint = fileURLToPath(new URL("../../test/golden/checkpoints/qwen3-tied", import.meta.url));
  await using model = await loadModel(checkpoint, { threads: 1 });
  const tokenIds = model.tokenizer.encode(`${zero_shot} A`, { specialTokens: true });
  const { logits } = await model.prefill({ tokenIds: tokenIds.slice(0, -1) });
  const expected = logits[tokenIds.at(-1)!]! - logSumExp(logits);
  // sums over the vocabulary in float32
  expect(Math.abs((await logPTrue(model, zero_shot)) - expected)).toBeLessThan(1e-4);
  const plain = await logPTrue(model, few_shot);
  const opened = await logPTrue(model, few_shot, { opening: openPTruePrompt(shots) });
  expect(Math.abs(opened - plain)).toBeLessThan(1e-4); // float32 in two passes
});
