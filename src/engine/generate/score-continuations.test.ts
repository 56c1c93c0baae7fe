import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import { logSumExp } from "../../math/entropy.ts";
import type { LanguageModel } from "../language-model.ts";
import { scoreContinuations } from "./score-continuations.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());

/** Token by token, each from a prompt of its own. */
async function scoreSlowly(promptIds: readonly number[], tokens: readonly number[]): Promise<number> {
  let score = 0;
  for (const [i, token] of tokens.entries()) {
    const { logits } = await model.prefill({ tokenIds: [...promptIds, ...tokens.slice(0, i)] });
    score += logits[token]! - logSumExp(logits);
  }
  return score;
}

test("it scores continuations of any length as one pass per token does", async () => {
  const prompt = [5, 9, 2, 7, 1];
  const continuations = [[3], [4, 8, 15], [16, 2], [4, 8], [23, 4, 2, 9, 10]];
  const scores = await scoreContinuations(model, prompt, continuations);
  // float32 logits in another order of summing, a token each
  for (const [i, tokens] of continuations.entries())
    expect(Math.abs(scores[i]! - (await scoreSlowly(prompt, tokens)))).toBeLessThan(1e-4 * tokens.length);
  expect(await scoreContinuations(model, prompt, [])).toEqual([]);
});

test("a continuation of no tokens is refused", async () => {
  await expect(scoreContinuations(model, [1], [[2], []])).rejects.toThrow(RangeError);
});
