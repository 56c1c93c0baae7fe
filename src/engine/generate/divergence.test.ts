import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../language-model.ts";
import { measureDivergence, type ReferenceAnswer, sampleReference } from "./divergence.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
// one that is longer than the least that is shared
const PROMPTS = [
  { tokenIds: [5, 6, 7] },
  { tokenIds: Array.from({ length: 40 }, (_, i) => i + 3), sharedTokens: [36] },
];
const TOKENS = 5;

let exact: LanguageModel;
let coarse: LanguageModel;
let references: readonly ReferenceAnswer[];
beforeAll(async () => {
  exact = await loadModel(CHECKPOINT, { threads: 1 });
  coarse = await loadModel(CHECKPOINT, { threads: 1, dtype: "int8" });
  references = (await finish(sampleReference(exact, PROMPTS, { tokens: TOKENS }))).result;
});
afterAll(async () => {
  await exact[Symbol.asyncDispose]();
  await coarse[Symbol.asyncDispose]();
});

it("samples one answer per prompt, always the same ones, with what the model predicted", async () => {
  const { vocabularySize } = exact.config;
  expect(references.map(({ prompt }) => prompt)).toEqual(PROMPTS);
  for (const { tokenIds, logits } of references) {
    expect(tokenIds.length).toBeGreaterThan(1);
    expect(logits).toHaveLength(tokenIds.length * vocabularySize);
  }
  const { result, yields } = await finish(sampleReference(exact, PROMPTS, { tokens: TOKENS }));
  expect(result).toEqual(references);
  expect(yields).toBe(PROMPTS.length);
});

it("is nothing from the model to itself, and something to the model in int8", async () => {
  // (a - b) - a + b of equal numbers, in doubles
  expect((await finish(measureDivergence(exact, references))).result).toBeLessThan(1e-15);
  const { result, yields } = await finish(measureDivergence(coarse, references));
  expect(yields).toBe(PROMPTS.length);
  expect(result).toBeGreaterThan(0);
});

it("is the mean of sum p ln(p / q) over the tokens, each predicted from all that come before it", async () => {
  const all: number[] = [];
  for (const { prompt, tokenIds } of references) {
    for (const index of tokenIds.keys()) {
      const before = { tokenIds: [...prompt.tokenIds, ...tokenIds.slice(0, index)] };
      const [p, q] = await Promise.all(
        [exact, coarse].map(async (model) => softmax((await model.prefill(before)).logits)),
      );
      all.push(
        (p as number[]).reduce((sum, each, id) => sum + each * Math.log(each / (q?.[id] as number)), 0),
      );
    }
  }
  const mean = all.reduce((sum, each) => sum + each, 0) / all.length;
  const { result } = await finish(measureDivergence(coarse, references));
  // a prompt in one pass rounds differently from a prompt and its answer, by float32's 1e-7 of logits near 1
  expect(Math.abs(result - mean)).toBeLessThan(0.02 * mean + 1e-7);
});

async function finish<Result>(
  measuring: AsyncGenerator<void, Result>,
): Promise<{ readonly result: Result; readonly yields: number }> {
  for (let yields = 0; ; yields++) {
    const next = await measuring.next();
    if (next.done) return { result: next.value, yields };
  }
}

function softmax(logits: Float32Array): number[] {
  const exponentials = Array.from(logits, Math.exp);
  const sum = exponentials.reduce((total, each) => total + each, 0);
  return exponentials.map((each) => each / sum);
}
