import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { openCheckpointFolder, weightFiles } from "../../checkpoint/checkpoint.ts";
import { extendRows } from "../generate/extend-rows.ts";
import { findArchitecture } from "../graph/architectures/registry.ts";
import { buildDecoder } from "../graph/build-decoder.ts";
import { everyLayer } from "../language-model.ts";
import { type DecoderSession, openDecoderSession } from "../session/decoder-session.ts";
import { emptyKvBlock, trimKv } from "../session/kv-block.ts";
import { DEVICES, type DeviceName } from "./device.ts";
import { createGraphFolder } from "./graph-folder.ts";

const CHECKPOINTS = new URL("../../../test/golden/checkpoints/", import.meta.url);
/** Other operators add the same float32 numbers in another order; measured: at most 1e-6. */
const RELATIVE_TOLERANCE = 1e-5;

/** The graph that a device gets, run by the processor. */
async function openGraphOf(device: DeviceName, name: string): Promise<DecoderSession> {
  const checkpoint = await openCheckpointFolder(fileURLToPath(new URL(name, CHECKPOINTS)));
  const architecture = findArchitecture(checkpoint.config);
  const config = architecture.readConfig(checkpoint.config);
  const { operators } = DEVICES[device];
  const { model } = buildDecoder(architecture, config, checkpoint.weights, { operators });
  await using folder = await createGraphFolder(model, weightFiles(checkpoint.weights));
  return await openDecoderSession(folder.modelPath, config, { threads: 1 });
}

/** Everything that a prefill and two steps of three rows compute. */
async function computeAll(session: DecoderSession): Promise<number[]> {
  const { config } = session;
  const tokenIds = Array.from({ length: 30 }, (_, i) => (i * 37 + 11) % config.vocabularySize);
  const read = (offsets: readonly number[], row = 0) => {
    const places = offsets.map((offset) => ({ row, offset }));
    return { predict: places, trace: places, layers: everyLayer(config), finalNorm: true };
  };
  const empty = emptyKvBlock(config, 1);
  const prompt = await extendRows(session, [tokenIds], {
    prefix: empty,
    suffix: empty,
    ...read(tokenIds.map((_, i) => i)),
  });
  const prefix = trimKv(config, prompt.suffix);
  const results = [prompt];
  let suffix = emptyKvBlock(config, 3);
  for (const step of [0, 1]) {
    const rows = [0, 1, 2].map((row) => [row * 5 + step]);
    const result = await extendRows(session, rows, { prefix, suffix, ...read([0], 2) });
    results.push(result);
    suffix = result.suffix;
  }
  return results.flatMap(({ logits, residuals, finalNorms }) => [
    ...logits,
    ...residuals.flatMap((row) => [...row]),
    ...finalNorms.flatMap((row) => [...row]),
  ]);
}

describe("the graph without what graphics cards lack", () => {
  it("leaves out what any of them lacks", () => {
    const { operators } = DEVICES.webgpu;
    expect(new Set(Object.values(operators))).toEqual(new Set([false]));
  });

  // soft caps; one query head a key head; both at once, in parallel blocks; half-precision tables; a window; two ropes
  it.each([
    "gemma2-softcaps",
    "gpt2-tied",
    "gpt-neox-parallel",
    "llama-tied-f16-sharded",
    "qwen3-untied-bf16",
    "mistral-window",
    "gemma3-text",
  ])("computes what the processor's graph computes: %s", async (name) => {
    await using own = await openGraphOf("cpu", name);
    await using other = await openGraphOf("webgpu", name);
    const expected = await computeAll(own);
    expectAllClose(await computeAll(other), expected, RELATIVE_TOLERANCE * scaleOf(expected));
  });
});
