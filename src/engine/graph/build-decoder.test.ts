import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openCheckpointFolder } from "../../checkpoint/checkpoint.ts";
import { nodeRuntime } from "../../checkpoint/graph-folder.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { extendRows } from "../generate/extend-rows.ts";
import { everyLayer } from "../resolve-layers.ts";
import { openDecoderSession } from "../session/decoder-session.ts";
import { emptyKvBlock } from "../session/kv-block.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { findArchitecture } from "./architectures/registry.ts";
import { buildDecoder } from "./build-decoder.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { memorySource, type StoredWeight, type WeightIndex } from "./weights.ts";

const folder = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/checkpoints/${name}`, import.meta.url));

async function open(name: string): Promise<{
  readonly architecture: Architecture;
  readonly config: DecoderConfig;
  readonly weights: WeightIndex;
}> {
  const { config, weights } = await openCheckpointFolder(folder(name));
  const architecture = findArchitecture(config);
  return { architecture, config: architecture.readConfig(config), weights };
}

describe("the graph", () => {
  // float32 checkpoints: without the nodes that widen weights, which onnxruntime computes once when it loads
  it.each([
    ["llama-untied-llama3-rope", 3, 289],
    ["qwen3-tied", 3, 301],
    ["mistral-full", 3, 289],
    ["qwen2-tied", 3, 289],
    ["phi3-longrope", 3, 286],
    ["olmo2-mha", 3, 295],
    ["gpt-neox-sequential", 3, 283],
  ])("of %s has %i blocks and %i nodes", async (name, blocks, nodes) => {
    const { architecture, config, weights } = await open(name);
    expect(config.blockCount).toBe(blocks);
    expect(countNodes(buildDecoder(architecture, config, weights).model.graph)).toBe(nodes);
  });
});

describe("refuses checkpoints that are not what their config says", () => {
  const stored = (shape: readonly number[]): StoredWeight => ({
    dtype: "F32",
    shape,
    source: memorySource("model.safetensors", new Uint8Array(0)),
    byteOffset: 0,
    byteLength: 4 * shape.reduce((size, dimension) => size * dimension, 1),
  });

  it.each([
    ["llama-tied-f16-sharded", "model.layers.1.self_attn.q_proj.bias"],
    ["qwen2-tied", "model.layers.2.self_attn.q_norm.weight"],
    ["mistral-full", "model.layers.3.mlp.up_proj.weight"],
    ["gpt2-tied", "h.0.attn.c_attn.lora_a"],
    ["gemma3-images", "language_model.model.layers.0.mlp.experts.0"],
  ])("%s with a tensor %s", async (name, tensor) => {
    const { architecture, config, weights } = await open(name);
    const more = new Map([...weights, [tensor, stored([4])]]);
    expect(() => buildDecoder(architecture, config, more)).toThrow(
      expect.objectContaining({
        code: "unsupported-model",
        message: expect.stringContaining(`"${tensor}"`) as string,
      }) as Error,
    );
  });

  it.each([
    ["llama-biases-linear-rope", "model.layers.0.mlp.down_proj.bias"],
    ["gpt-neox-parallel", "gpt_neox.layers.2.attention.dense.bias"],
    ["qwen3-untied-bf16", "lm_head.weight"],
    ["gpt2-tied", "wte.weight"],
  ])("%s without its tensor %s", async (name, tensor) => {
    const { architecture, config, weights } = await open(name);
    const less = new Map([...weights].filter(([key]) => key !== tensor));
    expect(() => buildDecoder(architecture, config, less)).toThrow(
      expect.objectContaining({
        code: "bad-checkpoint",
        message: expect.stringContaining(`"${tensor}"`) as string,
      }) as Error,
    );
  });

  it("with a tensor of another shape", async () => {
    const { architecture, config, weights } = await open("qwen2-tied");
    const other = new Map([...weights, ["model.norm.weight", stored([33])]]);
    expect(() => buildDecoder(architecture, config, other)).toThrow(/"model.norm.weight" is \[33\].*\[32\]/);
  });
});

describe("reads past what takes no part in the forward pass", () => {
  it("buffers of old versions, heads of other tasks, and the vision tower", async () => {
    const { architecture, config, weights } = await open("qwen2-tied");
    const buffer = weights.get("model.norm.weight") as StoredWeight;
    const names = ["model.layers.0.self_attn.rotary_emb.inv_freq", "score.weight", "vision_tower.x"];
    const more = new Map([...weights, ...names.map((name): [string, StoredWeight] => [name, buffer])]);
    expect(buildDecoder(architecture, config, more)).toEqual(buildDecoder(architecture, config, weights));
  });

  it("a config that ties a head which is stored on its own", async () => {
    const { architecture, config, weights } = await open("mistral-window");
    expect(config.tiedEmbeddings).toBe(false);
    const tied = { ...config, tiedEmbeddings: true };
    expect(buildDecoder(architecture, tied, weights)).toEqual(buildDecoder(architecture, config, weights));
  });
});

describe("positions beyond the model's context", () => {
  it.each([
    ["gpt2-unscaled", 300],
    ["phi3-longrope", 320],
  ])("are refused by %s after %i tokens", async (name, limit) => {
    await using model = await loadModel(folder(name));
    const tokenIds = Array.from({ length: limit + 1 }, (_, i) => i % model.config.vocabularySize);
    const last = { positions: [-1], layers: [0] };
    await expect(model.trace(tokenIds.slice(1), last)).resolves.toBeDefined();
    await expect(model.trace(tokenIds, last)).rejects.toMatchObject({
      code: "prompt-too-long",
      message: expect.stringContaining(`takes ${limit}`) as string,
    });
  });
});

/** ModelProto.graph is field 7, GraphProto.node field 1. */
function countNodes(model: Uint8Array): number {
  const graph = readMessages(model).find(({ field }) => field === 7)?.bytes ?? new Uint8Array(0);
  return readMessages(graph).filter(({ field }) => field === 1).length;
}

/** The length-delimited fields of a protobuf message. */
function readMessages(bytes: Uint8Array): { readonly field: number; readonly bytes: Uint8Array }[] {
  const messages: { field: number; bytes: Uint8Array }[] = [];
  let offset = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[offset++] as number;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (offset < bytes.length) {
    const key = readVarint();
    const length = readVarint();
    if ((key & 7) !== 2) continue;
    messages.push({ field: key >> 3, bytes: bytes.subarray(offset, offset + length) });
    offset += length;
  }
  return messages;
}

const CHECKPOINTS = new URL("../../../test/golden/checkpoints/", import.meta.url);
/** Logits and every residual of two rows of tokens, and the graph's bytes. */
async function compute(name: string, feedFromBytes: number) {
  const { config: reader, weights } = await openCheckpointFolder(fileURLToPath(new URL(name, CHECKPOINTS)));
  const architecture = findArchitecture(reader);
  const config = architecture.readConfig(reader);
  const { model, embeddingTable } = buildDecoder(architecture, config, weights, { feedFromBytes });
  await using session = await openDecoderSession(nodeRuntime, model, config, { threads: 1, embeddingTable });
  const rows = [0, 1].map((row) =>
    Array.from({ length: 9 }, (_, i) => (i * 37 + row * 101 + 11) % config.vocabularySize),
  );
  rows[0]?.push(config.vocabularySize - 1); // the table's last row, and padding for the other
  const places = rows.flatMap((tokens, row) => tokens.map((_, offset) => ({ row, offset })));
  const { logits, residuals } = await extendRows(session, rows, {
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 2),
    predict: places,
    trace: places,
    layers: everyLayer(config),
  });
  return { logits, residuals, takesIds: Buffer.from(model.graph).includes("token_ids") };
}

describe("embeddings read from the file", () => {
  // tied and stored heads; float32, float16 in shards and bfloat16; scaled embeddings; learned positions
  it.each([
    "qwen3-tied",
    "qwen3-untied-bf16",
    "llama-tied-f16-sharded",
    "gemma2-softcaps",
    "gpt2-tied",
    "gpt-neox-parallel",
  ])("give every number as the whole graph does, to the bit: %s", async (name) => {
    const whole = await compute(name, Number.POSITIVE_INFINITY);
    const apart = await compute(name, 1);
    expect([whole.takesIds, apart.takesIds]).toEqual([true, false]);
    expect(whole.logits.every(Number.isFinite) && whole.logits.some((logit) => logit !== 0)).toBe(true);
    expect(apart.logits).toEqual(whole.logits);
    expect(apart.residuals).toEqual(whole.residuals);
  });
});
