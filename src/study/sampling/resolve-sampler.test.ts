import { expect, it } from "vitest";
import type { DecoderConfig } from "../../engine/graph/decoder-config.ts";
import type { ModelProvenance } from "../../engine/language-model.ts";
import { describeUnfollowed, resolveSampler } from "./resolve-sampler.ts";

const provenance = { id: "./m" } as ModelProvenance;
const config = { maxPositions: 4096 } as DecoderConfig;
const QWEN = { provenance, config, generationDefaults: { temperature: 0.7, topP: 0.8, topK: 20 } };
const SILENT = { provenance, config, generationDefaults: null };

it("samples every model alike, unless it is asked for the model's own settings", () => {
  expect(resolveSampler(QWEN)).toMatchObject({
    settings: { temperature: 0.6, topP: 0.9, topK: 0, maxNewTokens: 2048 },
    sources: { temperature: "default", topP: "default", topK: "default" },
  });
  expect(resolveSampler(QWEN, { topP: 0.95, sampler: "model" })).toMatchObject({
    settings: { temperature: 0.7, topP: 0.95, topK: 20, minP: 0, repetitionPenalty: 1 },
    sources: { temperature: "generation_config", topP: "user", topK: "generation_config", minP: "default" },
  });
});

it("leaves off what the model's authors leave open", () => {
  const model = { ...QWEN, generationDefaults: { topK: -1 } };
  expect(resolveSampler(model, { sampler: "model" }).settings).toMatchObject({
    temperature: 1,
    topP: 1,
    topK: 0,
  });
});

it("refuses answers longer than the model's context", () => {
  expect(resolveSampler(QWEN, { maxNewTokens: 4095 }).settings.maxNewTokens).toBe(4095);
  for (const maxNewTokens of [4096, 9_999_999])
    expect(() => resolveSampler(QWEN, { maxNewTokens })).toThrow(
      expect.objectContaining({
        code: "bad-option",
        message: `Got --max-new-tokens ${maxNewTokens}, but ./m takes 4096 tokens for prompt and answer together. Give fewer.`,
      }),
    );
});

it("refuses to follow a model that recommends nothing", () => {
  expect(() => resolveSampler(SILENT, { sampler: "model" })).toThrow(
    expect.objectContaining({
      code: "bad-option",
      message: expect.stringContaining("generation_config.json"),
    }),
  );
});

it("says what it does not follow", () => {
  expect(describeUnfollowed(QWEN, resolveSampler(QWEN).settings)).toMatch(
    /^sampling with temperature 0.6 instead of 0.7, topP 0.9 instead of 0.8, topK 0 instead of 20, /,
  );
  expect(describeUnfollowed(QWEN, resolveSampler(QWEN, { sampler: "model" }).settings)).toBeNull();
  expect(describeUnfollowed(SILENT, resolveSampler(SILENT).settings)).toBeNull();
});
