import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { extendRows } from "../src/engine/generate/extend-rows.ts";
import { sampleAnswers } from "../src/engine/generate/generate.ts";
import type { SamplerSettings } from "../src/engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { joinTokens, stateAt } from "../src/engine/layer-states.ts";
import { everyLayer } from "../src/engine/resolve-layers.ts";
import { emptyKvBlock } from "../src/engine/session/kv-block.ts";
import { buildPrompt } from "../src/engine/tokenizer/build-prompt.ts";
import { traceAnswers } from "../src/states/trace-answers.ts";
import { expectAllClose, scaleOf } from "./expect-all-close.ts";
import { PLAIN_SAMPLER } from "./fakes/plain-sampler.ts";
import { readTensors } from "./read-tensors.ts";

const golden = (name: string): string => fileURLToPath(new URL(`golden/${name}`, import.meta.url));

/** float32 sums in another order than PyTorch's; measured: at most 1.2e-6. The rest is room for other processors. */
const RELATIVE_TOLERANCE = 1e-5;
const GREEDY: SamplerSettings = { ...PLAIN_SAMPLER, temperature: 0, maxNewTokens: 160 };

interface GreedyCase {
  readonly question: string;
  readonly prompt_ids: number[];
  readonly answer_ids: number[];
  readonly answer: string;
}

describe("the embedded model against Python transformers", () => {
  let model: LanguageModel;
  let cases: readonly GreedyCase[];
  let tensors: Readonly<Record<string, Float32Array>>;
  const sequence = (index: number): { ids: number[]; residuals: Float32Array; logits: Float32Array } => ({
    ids: [...(tensors[`token_ids.${index}`] ?? [])],
    residuals: tensors[`residuals.${index}`] as Float32Array,
    logits: tensors[`logits.${index}`] as Float32Array,
  });

  beforeAll(async () => {
    model = await loadModel("pocket");
    cases = JSON.parse(await readFile(golden("pocket-greedy.json"), "utf8")).cases;
    tensors = await readTensors(golden("pocket-trace.safetensors"));
  });
  afterAll(() => model[Symbol.asyncDispose]());

  it("builds the same prompts and decodes greedily to the same tokens, 50 times", {
    tags: ["long"],
  }, async () => {
    expect(cases.length).toBe(50);
    for (const { question, prompt_ids, answer_ids, answer } of cases) {
      const prompt = buildPrompt(model.tokenizer, question);
      expect(prompt.tokenIds).toEqual(prompt_ids);
      const [drawn] = await sampleAnswers(model, prompt_ids, {
        runIds: [0],
        sampler: GREEDY,
        seed: 1,
        streamKey: question,
      });
      expect(drawn?.tokenIds, question).toEqual(answer_ids);
      expect(`${drawn?.text}<|im_end|>`).toBe(answer);
    }
  });

  it.each([0, 1])(
    "reads every residual and logit of prompt + answer %i, in one piece and in chunks",
    async (index) => {
      const { ids, residuals, logits } = sequence(index);
      const places = ids.map((_, offset) => ({ row: 0, offset }));
      for (const chunkTokens of [1024, 16, 5]) {
        const result = await extendRows(model.session, [ids], {
          prefix: emptyKvBlock(model.config, 1),
          suffix: emptyKvBlock(model.config, 1),
          predict: places,
          trace: places,
          layers: everyLayer(model.config),
          chunkTokens,
        });
        const read = joinTokens(result.residuals, model.config.hiddenSize);
        expectAllClose(read, residuals, RELATIVE_TOLERANCE * scaleOf(residuals));
        expectAllClose(result.logits, logits, RELATIVE_TOLERANCE * scaleOf(logits));
      }
    },
  );

  it.each([0, 1])(
    "reads the same while decoding prompt + answer %i step by step with 10 rows",
    async (index) => {
      const { config, session } = model;
      const { ids, residuals, logits } = sequence(index);
      const promptLength = (cases[index] as GreedyCase).prompt_ids.length;
      const { prefix } = await model.prefill({ tokenIds: ids.slice(0, promptLength) });
      let suffix = emptyKvBlock(config, 10);
      const width = (config.blockCount + 1) * config.hiddenSize;
      for (let position = promptLength; position < ids.length; position++) {
        // row 7 follows the golden sequence, the others go their own ways
        const tokens = Array.from({ length: 10 }, (_, row) => [
          row === 7 ? (ids[position] as number) : (position * 11 + row * 3) % config.vocabularySize,
        ]);
        const place = [{ row: 7, offset: 0 }];
        const step = await extendRows(session, tokens, {
          prefix,
          suffix,
          predict: place,
          trace: place,
          layers: everyLayer(config),
        });
        suffix = step.suffix;
        const expected = residuals.subarray(position * width, (position + 1) * width);
        expectAllClose(
          joinTokens(step.residuals, config.hiddenSize),
          expected,
          RELATIVE_TOLERANCE * scaleOf(residuals),
        );
        const next = logits.subarray(
          position * config.vocabularySize,
          (position + 1) * config.vocabularySize,
        );
        expectAllClose(step.logits, next, RELATIVE_TOLERANCE * scaleOf(logits));
      }
    },
  );

  it("traces several answers of one question to the same states", async () => {
    const { ids, residuals } = sequence(0);
    const { prompt_ids, answer_ids } = cases[0] as GreedyCase;
    const indices = answer_ids.map((_, offset) => prompt_ids.length + offset);
    const traced = await traceAnswers(
      model,
      prompt_ids,
      [
        { tokenIds: answer_ids.slice(0, 3), indices: [prompt_ids.length] },
        { tokenIds: answer_ids, indices },
        { tokenIds: [...answer_ids, 5, 6, 7], indices: [] },
      ],
      { layers: everyLayer(model.config) },
    );
    const width = (model.config.blockCount + 1) * model.config.hiddenSize;
    const at = (position: number): Float32Array =>
      residuals.subarray(position * width, (position + 1) * width);
    const tolerance = RELATIVE_TOLERANCE * scaleOf(residuals);
    expectAllClose(traced.beforeGeneration, at(prompt_ids.length - 1), tolerance);
    const read = (answer: number, token: number): Float32Array =>
      stateAt(traced.answers[answer]!, token, model.config.hiddenSize);
    indices.forEach((position, i) => {
      expectAllClose(read(1, i), at(position), tolerance);
    });
    expectAllClose(read(0, 0), at(prompt_ids.length), tolerance);
    expect(traced.answers[2]!.map(({ length }) => length)).toEqual(everyLayer(model.config).map(() => 0));
    expect(ids.length).toBe(prompt_ids.length + answer_ids.length);
  });
});
