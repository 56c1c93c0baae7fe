import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import gemma3 from "../../../test/golden/gguf/gemma3-270m.json" with { type: "json" };
import smollm2 from "../../../test/golden/gguf/smollm2.json" with { type: "json" };
import { extendRows } from "../../engine/generate/extend-rows.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { joinTokens } from "../../engine/layer-states.ts";
import { everyLayer } from "../../engine/resolve-layers.ts";
import { emptyKvBlock } from "../../engine/session/kv-block.ts";
import { readSafetensorsHeader, readTensor } from "../../store/safetensors.ts";
import { loadModel } from "../load-model.ts";

/** The GGUF files take 98 and 253 MB, so each is tested only where there is one; see the generators for how to get them. */
const FILES = [
  {
    name: "smollm2",
    variable: "SEP_SMOLLM2_GGUF",
    path: process.env.SEP_SMOLLM2_GGUF,
    golden: { endToken: "<|im_end|>", endTokenIds: [0, 2], ...smollm2 },
  },
  { name: "gemma3-270m", variable: "SEP_GEMMA3_GGUF", path: process.env.SEP_GEMMA3_GGUF, golden: gemma3 },
];
/** As the generator samples. */
const STRIDE = 19;
const TOKEN_STRIDE = 251;
/**
 * Of the largest magnitude among a row's sampled values: float32 sums in another order than PyTorch's, over 30 blocks.
 * Measured: at most 1.1e-5; the project promises 1e-3.
 */
const RELATIVE_TOLERANCE = 1e-4;

const goldenFile = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/gguf/${name}.safetensors`, import.meta.url));

describe.for(FILES)(
  "$name as a real file (set $variable)",
  { timeout: 120_000 },
  ({ name, path, golden }) => {
    let model: LanguageModel;
    let tensors: Map<string, Float32Array>;

    beforeAll(async () => {
      if (path === undefined) return;
      model = await loadModel(path);
      const header = await readSafetensorsHeader(goldenFile(name));
      tensors = new Map();
      for (const [tensor, entry] of header.tensors)
        tensors.set(tensor, await readTensor(goldenFile(name), entry));
    }, 120_000);
    afterAll(() => model?.[Symbol.asyncDispose]());

    it
      .skipIf(path === undefined)
      .each(golden.texts.map(({ text, ids, decoded }) => ({ text, ids, decoded })))(
      "$text has transformers' token ids",
      ({ text, ids, decoded }) => {
        expect(model.tokenizer.encode(text, { specialTokens: false })).toEqual(ids);
        if (ids.length > 0) expect(model.tokenizer.decode(ids)).toBe(decoded);
      },
    );

    it.skipIf(path === undefined)("speaks in its own chat format, and knows where a turn ends", () => {
      const messages = [{ role: "user", content: "Why is the sky blue?" }] as const;
      const chat = model.tokenizer.renderChat?.(messages, { addGenerationPrompt: true });
      expect(chat ?? null).toBe(golden.chat);
      expect(model.tokenizer.endToken).toBe(golden.endToken);
      expect([...model.endTokenIds]).toEqual(golden.endTokenIds);
    });

    it.skipIf(path === undefined).each([0, 1, 2])(
      "prompt %i has transformers' residuals and logits",
      async (prompt) => {
        const expected = (part: string): Float32Array => tensors.get(`${prompt}.${part}`)!;
        const positions = [...expected("positions")];
        const places = positions.map((offset) => ({ row: 0, offset }));
        const { config, session } = model;
        const { residuals, logits, finalNorms } = await extendRows(session, [[...expected("token_ids")]], {
          prefix: emptyKvBlock(config, 1),
          suffix: emptyKvBlock(config, 1),
          predict: places,
          trace: places,
          layers: everyLayer(config),
          finalNorm: true,
        });
        const layers = config.blockCount + 1;
        const sampled = Math.ceil(config.hiddenSize / STRIDE);
        const rows = (all: Float32Array, width: number, count: number): Float32Array[] =>
          Array.from({ length: count }, (_, i) => all.subarray(i * width, (i + 1) * width));
        const pick = (row: Float32Array, stride: number): Float32Array =>
          row.filter((_, i) => i % stride === 0);
        const worst = {
          residuals: Math.max(
            ...rows(
              joinTokens(residuals, config.hiddenSize),
              config.hiddenSize,
              positions.length * layers,
            ).map((row, i) =>
              relativeError(
                pick(row, STRIDE),
                rows(expected("residuals"), sampled, positions.length * layers)[i]!,
              ),
            ),
          ),
          finalNorms: Math.max(
            ...rows(finalNorms!, config.hiddenSize, positions.length).map((row, i) =>
              relativeError(pick(row, STRIDE), rows(expected("final_norm"), sampled, positions.length)[i]!),
            ),
          ),
          logits: Math.max(
            ...rows(logits, config.vocabularySize, positions.length).map((row, i) => {
              const width = Math.ceil(config.vocabularySize / TOKEN_STRIDE);
              return relativeError(
                pick(row, TOKEN_STRIDE),
                rows(expected("logits"), width, positions.length)[i]!,
              );
            }),
          ),
        };
        console.info(`prompt ${prompt}: largest error of a row, relative to its largest value`, worst);
        expect(Math.max(...Object.values(worst))).toBeLessThanOrEqual(RELATIVE_TOLERANCE);
        rows(logits, config.vocabularySize, positions.length).forEach((row, i) => {
          const best = row.reduce((top, value, id) => (value > (row[top] as number) ? id : top), 0);
          expect(best).toBe(rows(expected("top_ids"), 10, positions.length)[i]![0]);
        });
      },
    );
  },
);

function relativeError(got: Float32Array, expected: Float32Array): number {
  expect(got.length).toBe(expected.length);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return got.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0) / scale;
}
