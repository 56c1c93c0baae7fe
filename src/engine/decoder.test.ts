import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eachSampled } from "../../test/each-sampled.ts";
import { expectAllClose, scaleOf } from "../../test/expect-all-close.ts";
import { readTensors } from "../../test/read-tensors.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import { countIdleRows } from "./generate/batch.ts";
import { extendRows } from "./generate/extend-rows.ts";
import type { LanguageModel } from "./language-model.ts";
import { joinTokens, stateAt } from "./layer-states.ts";
import { everyLayer } from "./resolve-layers.ts";
import { emptyKvBlock } from "./session/kv-block.ts";

const golden = (name: string): string => fileURLToPath(new URL(`../../test/golden/${name}`, import.meta.url));

/**
 * float32 sums in another order than PyTorch's; measured by bench/architectures.js: at most 2e-6. The rest is room for
 * other CPUs.
 */
const RELATIVE_TOLERANCE = 1e-5;

/** Every checkpoint that test/golden/generate/decoder_cases.py describes. */
const CASES = readdirSync(golden("checkpoints"));

it("covers every architecture", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(24);
});

describe.each(CASES)("%s against Python transformers", (name) => {
  let model: LanguageModel;
  let tokenIds: number[];
  let positions: number[];
  let expected: Record<"residuals" | "final_norm" | "logits" | "greedy_after_20", Float32Array>;

  beforeAll(async () => {
    model = await loadModel(golden(`checkpoints/${name}`));
    const tensors = await readTensors(golden(`decoder-${name}.safetensors`));
    expected = tensors as typeof expected;
    tokenIds = [...(tensors.token_ids as Float32Array)];
    positions = [...(tensors.positions as Float32Array)];
  });
  afterAll(() => model[Symbol.asyncDispose]());

  const expectGolden = (got: { residuals: ArrayLike<number>; logits: ArrayLike<number> }): void => {
    expectAllClose(got.residuals, expected.residuals, RELATIVE_TOLERANCE * scaleOf(expected.residuals));
    expectAllClose(got.logits, expected.logits, RELATIVE_TOLERANCE * scaleOf(expected.logits));
  };

  eachSampled([[100], [7], [1024], [256], [64]], {
    sample: 2,
  })("prefill in chunks of %i tokens", async (chunkTokens) => {
    const places = positions.map((offset) => ({ row: 0, offset }));
    const { residuals, logits, finalNorms } = await extendRows(model.session, [tokenIds], {
      prefix: emptyKvBlock(model.config, 1),
      suffix: emptyKvBlock(model.config, 1),
      predict: places,
      trace: places,
      layers: everyLayer(model.config),
      finalNorm: true,
      chunkTokens,
    });
    expectGolden({ residuals: joinTokens(residuals, model.config.hiddenSize), logits });
    expectAllClose(finalNorms!, expected.final_norm, RELATIVE_TOLERANCE * scaleOf(expected.final_norm));
  });

  it("trace() reads the same states", async () => {
    const trace = await model.trace(tokenIds, { positions, finalNorm: true });
    expect(trace.layers).toEqual(everyLayer(model.config));
    expectAllClose(trace.residuals, expected.residuals, RELATIVE_TOLERANCE * scaleOf(expected.residuals));
  });

  it("decodes step by step, K rows on a shared prefix, each row at its own token", async () => {
    const { config, session } = model;
    const promptLength = 90;
    const rows = 3;
    const steps = tokenIds.length - promptLength;
    const { prefix } = await model.prefill({ tokenIds: tokenIds.slice(0, promptLength) });
    // row 0 follows the golden sequence; the others something else, which must not leak into it
    const rowTokens = Array.from({ length: rows }, (_, row) =>
      tokenIds.slice(promptLength).map((id) => (row === 0 ? id : (id * 7 + row) % config.vocabularySize)),
    );
    let suffix = emptyKvBlock(config, rows);
    const residuals = new Map<number, Float32Array>();
    const logits = new Map<number, Float32Array>();
    for (let step = 0; step < steps; step++) {
      const place = [{ row: 0, offset: 0 }];
      const result = await extendRows(
        session,
        rowTokens.map((row) => [row[step] as number]),
        { prefix, suffix, predict: place, trace: place, layers: everyLayer(config) },
      );
      suffix = result.suffix;
      residuals.set(promptLength + step, stateAt(result.residuals, 0, config.hiddenSize));
      logits.set(promptLength + step, result.logits);
    }
    positions.forEach((position, index) => {
      if (position < promptLength) return;
      const slice = (all: Float32Array, width: number): Float32Array =>
        all.subarray(index * width, (index + 1) * width);
      const width = (config.blockCount + 1) * config.hiddenSize;
      const expectedResidual = slice(expected.residuals, width);
      expectAllClose(
        residuals.get(position)!,
        expectedResidual,
        RELATIVE_TOLERANCE * scaleOf(expected.residuals),
      );
      const expectedLogits = slice(expected.logits, config.vocabularySize);
      expectAllClose(logits.get(position)!, expectedLogits, RELATIVE_TOLERANCE * scaleOf(expected.logits));
    });
  });

  it("gives a row the same bits whatever rows are beside it", async () => {
    const { config, session } = model;
    const { prefix } = await model.prefill({ tokenIds: tokenIds.slice(0, 50) });
    const alone = tokenIds.slice(50, 61);
    const runWith = async (rows: readonly (readonly number[])[]): Promise<Float32Array> => {
      let suffix = emptyKvBlock(config, rows.length);
      let logits = new Float32Array(0);
      for (let step = 0; step < alone.length; step++) {
        const result = await extendRows(
          session,
          rows.map((row) => [row[step] as number]),
          {
            prefix,
            suffix,
            predict: [{ row: rows.length - 1, offset: 0 }],
          },
        );
        suffix = result.suffix;
        logits = Float32Array.from(result.logits);
      }
      return logits;
    };
    const others = Array.from({ length: 12 }, (_, k) => tokenIds.slice(60 + k * 3, 71 + k * 3));
    const idle = new Array<number[]>(countIdleRows(config, 1)).fill(new Array(alone.length).fill(0));
    const reference = await runWith([...idle, alone]);
    for (const count of [1, 2, 5, 9, 12]) {
      expect(await runWith([...idle, ...others.slice(0, count), alone]), `${count} rows beside it`).toEqual(
        reference,
      );
    }
  });

  it("reads rows of different length in one batch", async () => {
    const { config, session } = model;
    const { prefix } = await model.prefill({ tokenIds: tokenIds.slice(0, 20) });
    const rows = [tokenIds.slice(20, 101), tokenIds.slice(20, 23), tokenIds.slice(20, 64)];
    const trace = [
      { row: 0, offset: 80 },
      { row: 1, offset: 2 },
      { row: 2, offset: 43 },
    ];
    const { residuals } = await extendRows(session, rows, {
      prefix,
      suffix: emptyKvBlock(config, 3),
      trace,
      layers: everyLayer(config),
      keepKv: false,
      chunkTokens: 32,
    });
    for (const [index, { row, offset }] of trace.entries()) {
      const sequence = tokenIds.slice(0, 20 + offset + 1);
      const alone = await model.trace(sequence, { positions: [-1] });
      const state = stateAt(residuals, index, config.hiddenSize);
      expectAllClose(state, alone.residuals, RELATIVE_TOLERANCE * scaleOf(alone.residuals));
      expect(rows[row]!.length).toBe(offset + 1);
    }
  });
});
