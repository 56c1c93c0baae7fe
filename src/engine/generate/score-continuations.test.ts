import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import { logSumExp } from "../../math/entropy.ts";
import { createLanguageModel, type LanguageModel } from "../language-model.ts";
import { countShared, scoreContinuations } from "./score-continuations.ts";

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
  const scores = await scoreContinuations(model, { tokenIds: prompt }, continuations);
  // float32 logits in another order of summing, a token each
  for (const [i, tokens] of continuations.entries())
    expect(Math.abs(scores[i]! - (await scoreSlowly(prompt, tokens)))).toBeLessThan(1e-4 * tokens.length);
  expect(await scoreContinuations(model, { tokenIds: prompt }, [])).toEqual([]);
});

test("what prompts begin with is run once, and scores are the same bits whether it is kept or not", async () => {
  const opening = Array.from({ length: 70 }, (_, i) => (i * 13) % 40);
  const prompts = [3, 9, 1].map((n) => ({
    tokenIds: [...opening, ...Array.from({ length: n }, (_, i) => i)],
    sharedTokens: [opening.length],
  }));
  const score = (of: LanguageModel, prompt: (typeof prompts)[number]) =>
    scoreContinuations(of, prompt, [[3], [4, 8, 15]]);
  await using fresh = await loadModel(CHECKPOINT, { threads: 1 });
  const together = await Promise.all(prompts.map((prompt) => score(fresh, prompt)));
  for (const [i, prompt] of prompts.entries()) {
    await using alone = await loadModel(CHECKPOINT, { threads: 1 });
    expect(together[i]).toEqual(await score(alone, prompt));
    const [plain] = await scoreContinuations(alone, { tokenIds: prompt.tokenIds }, [[3]]);
    expect(Math.abs(together[i]![0]! - plain!)).toBeLessThan(1e-4); // float32 in two passes
  }
  let tokens = 0;
  const counting = createLanguageModel({
    ...model,
    limits: { rows: 4, kvBytes: 2 ** 26 },
    session: {
      ...model.session,
      run: (pass) => {
        tokens += pass.tokenIds.length;
        return model.session.run(pass);
      },
    },
  });
  for (const prompt of prompts) await scoreContinuations(counting, prompt, [[3]]);
  expect(tokens).toBe(70 + 3 + 9 + 1);
});

test("tokens are shared up to the one that reaches beyond the text", () => {
  expect(countShared([1, 2, 3, 4], [1, 2])).toBe(2);
  expect(countShared([1, 2, 3, 4], [1, 2, 9])).toBe(2);
  expect(countShared([1, 2], [1, 2, 9])).toBe(2);
  expect(countShared([1, 2], [])).toBe(0);
});

test("a continuation of no tokens is refused", async () => {
  await expect(scoreContinuations(model, { tokenIds: [1] }, [[2], []])).rejects.toThrow(RangeError);
});
