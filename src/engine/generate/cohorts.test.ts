import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../language-model.ts";
import { kvBytesPerToken } from "../session/kv-block.ts";
import { createBatcher } from "./batcher.ts";
import { sampleAnswers } from "./generate.ts";

const CHECKPOINT = fileURLToPath(
  new URL("../../../test/golden/checkpoints/llama-untied-llama3-rope", import.meta.url),
);
const ROWS = 12;
/** Answers of all lengths, three to each of 24 prompts. */
const LENGTHS = Array.from({ length: 24 }, (_, i) => 16 + ((i * 37) % 80));
const PROMPT_TOKENS = 10;

describe("rows of two ages", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(CHECKPOINT, { threads: 1 });
  });
  afterAll(() => model[Symbol.asyncDispose]());

  /** Tokens of each row that every pass extended, and how full the passes were. */
  async function watch(kvBytes: number) {
    const passes: number[][] = [];
    const batcher = createBatcher(
      {
        session: {
          ...model.session,
          run: (pass) => {
            // the idle row of each pass has no tokens
            if (pass.prefix.capacity > 0) passes.push(pass.suffix.lengths.slice(-ROWS));
            return model.session.run(pass);
          },
        },
        threads: 1,
      },
      { rows: ROWS, kvBytes },
    );
    const sampler = {
      ...{ temperature: 5, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 },
      ...{ stopStrings: [], stopTokenIds: [] },
    };
    await Promise.all(
      LENGTHS.map((maxNewTokens, question) => {
        const prompt = Array.from({ length: PROMPT_TOKENS }, (_, i) => (i * 31 + question * 7) % 60);
        const options = { runIds: [0, 1, 2], seed: 1, streamKey: String(question) };
        const endless = { ...model, batcher, endTokenIds: new Set<number>() };
        return sampleAnswers(endless, prompt, { ...options, sampler: { ...sampler, maxNewTokens } });
      }),
    );
    return { passes, usage: batcher.usage };
  }
  const meanLongest = (passes: readonly number[][]): number =>
    passes.reduce((sum, lengths) => sum + Math.max(...lengths), 0) / passes.length;

  it("run in passes of their own, which are as full as those of all rows", async () => {
    const apart = await watch(2 ** 30);
    // keys and values of one batch, and of a bit more
    const tokens = (ROWS + 2) * (128 + 32);
    const together = await watch(tokens * kvBytesPerToken(model.config));
    const rows = LENGTHS.reduce((sum, length) => sum + 3 * (length - 1), 0);
    for (const { usage } of [apart, together]) {
      expect(usage.rows).toBe(rows);
      expect(usage.rows / usage.room).toBeGreaterThan(0.85);
    }
    expect(meanLongest(apart.passes)).toBeLessThan(0.9 * meanLongest(together.passes));
  });
});
