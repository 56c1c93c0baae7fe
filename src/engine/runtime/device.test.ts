import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { openCheckpointFolder } from "../../checkpoint/checkpoint.ts";
import { nodeRuntime } from "../../checkpoint/graph-folder.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { extendRows } from "../generate/extend-rows.ts";
import { findArchitecture } from "../graph/architectures/registry.ts";
import { buildDecoder } from "../graph/build-decoder.ts";
import { everyLayer } from "../resolve-layers.ts";
import { type DecoderSession, openDecoderSession } from "../session/decoder-session.ts";
import { emptyKvBlock } from "../session/kv-block.ts";
import { blameDevice, DEVICES, type DeviceName, describeFailure, requireContent } from "./device.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));

describe("describeFailure", () => {
  it("leaves out the place in onnxruntime's sources", () => {
    const error = new Error(
      "/ort/webgpu_context.cc:136 Initialize(const Config&)::<lambda()> status == Success was false. Failed to get\n a WebGPU adapter",
    );
    expect(describeFailure(error)).toBe("Failed to get a WebGPU adapter");
    expect(describeFailure("plain.")).toBe("plain");
    expect(describeFailure("x".repeat(1000))).toHaveLength(300);
  });
});

it("blames a device for its errors, and not the CPU", () => {
  const cause = new Error("CUDA failure 2: out of memory");
  expect(() => blameDevice("cpu", "failed", cause)).toThrow(cause);
  expect(() => blameDevice("cuda", "did not load the model", cause)).toThrow(
    expect.objectContaining({
      code: "device-unavailable",
      message: expect.stringMatching(
        /^The device cuda did not load the model: CUDA failure 2: out of memory\. /,
      ),
      cause,
    }),
  );
});

it("takes no single number for a result", () => {
  const varied = Float32Array.of(0, 0, 1);
  expect(requireContent("webgpu", varied)).toBe(varied);
  expect(() => requireContent("webgpu", new Float32Array(4))).toThrow(
    /^The device webgpu computed 4 times the same/,
  );
  expect(requireContent("cpu", new Float32Array(4))).toHaveLength(4);
});

it("names the device when it is gone by the time the model is loaded", async () => {
  // no platform has it; resolved before, it is not tried again
  const gone = process.platform === "win32" ? "coreml" : "dml";
  const model = await loadModel(CHECKPOINT, { device: { name: gone } });
  expect(model.provenance.device).toBe(gone);
  expect(model.workers).toBe(1);
  await expect(model.trace([1, 2])).rejects.toMatchObject({
    code: "device-unavailable",
    message: expect.stringMatching(new RegExp(`^The device ${gone} did not load the model: `)),
  });
  await model[Symbol.asyncDispose]();
});

const CHECKPOINTS = new URL("../../../test/golden/checkpoints/", import.meta.url);
/** Other operators add the same float32 numbers in another order; measured: at most 1e-6. */
const RELATIVE_TOLERANCE = 1e-5;

/** The graph that a device gets, run by the CPU. */
async function openGraphOf(device: DeviceName, name: string): Promise<DecoderSession> {
  const checkpoint = await openCheckpointFolder(fileURLToPath(new URL(name, CHECKPOINTS)));
  const architecture = findArchitecture(checkpoint.config);
  const config = architecture.readConfig(checkpoint.config);
  const { operators } = DEVICES[device];
  const { model } = buildDecoder(architecture, config, checkpoint.weights, { operators });
  return openDecoderSession(nodeRuntime, model, config, { threads: 1 });
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
  const prefix = prompt.suffix;
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
    ...finalNorms!,
  ]);
}

describe("the graph without what GPUs lack", () => {
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
  ])("computes what the CPU's graph computes: %s", async (name) => {
    await using own = await openGraphOf("cpu", name);
    await using other = await openGraphOf("webgpu", name);
    const expected = await computeAll(own);
    expectAllClose(await computeAll(other), expected, RELATIVE_TOLERANCE * scaleOf(expected));
  });
});
