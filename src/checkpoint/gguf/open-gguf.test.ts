import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { extendRows } from "../../engine/generate/extend-rows.ts";
import type { StoredWeight } from "../../engine/graph/weights.ts";
import { joinTokens } from "../../engine/layer-states.ts";
import { everyLayer } from "../../engine/resolve-layers.ts";
import { emptyKvBlock } from "../../engine/session/kv-block.ts";
import { decodeFloat16 } from "../../math/half.ts";
import { readSafetensorsHeader, readTensor } from "../../store/safetensors.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { findCheckpoint } from "../find-checkpoint.ts";
import { loadModel } from "../load-model.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/gguf/${name}`, import.meta.url));
/** float32 sums in another order than PyTorch's, over 80 tokens and all layers; measured: at most 3e-6. */
const RELATIVE_TOLERANCE = 5e-5;

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "sep-gguf-"));
  vi.stubEnv("SEP_CACHE", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

describe.each(["llama-k", "llama-f16", "qwen3-mixed", "qwen2", "gemma3", "gpt2"])(
  "%s against Python transformers",
  (name) => {
    it("has the same residuals and logits", async () => {
      const expected = await readGolden(golden(`${name}.safetensors`));
      await using model = await loadModel(golden(`${name}.gguf`));
      const positions = [...expected.get("positions")!];
      const places = positions.map((offset) => ({ row: 0, offset }));
      const { config, session } = model;
      const { residuals, logits, finalNorms } = await extendRows(session, [[...expected.get("token_ids")!]], {
        prefix: emptyKvBlock(config, 1),
        suffix: emptyKvBlock(config, 1),
        predict: places,
        trace: places,
        layers: everyLayer(config),
        finalNorm: true,
      });
      const close = (got: ArrayLike<number>, tensor: string): void => {
        const values = expected.get(tensor)!;
        expectAllClose(got, values, RELATIVE_TOLERANCE * scaleOf(values));
      };
      close(joinTokens(residuals, config.hiddenSize), "residuals");
      close(finalNorms!, "final_norm");
      close(logits, "logits");
    });
  },
);

describe.each(["qwen2", "gpt2"])("%s", (name) => {
  it("has Hugging Face's weights, bit for bit", async () => {
    const expected = await readGolden(golden(`${name}.safetensors`));
    const { weights } = await findCheckpoint(golden(`${name}.gguf`));
    const names = [...expected.keys()].filter((key) => key.startsWith("weight."));
    expect([...weights.keys()].sort()).toEqual(names.map((key) => key.slice("weight.".length)).sort());
    for (const [weight, stored] of weights) {
      expect(await readWeight(stored), weight).toEqual(expected.get(`weight.${weight}`));
    }
  });
});

describe("the config", () => {
  let open: Checkpoint | null = null;
  const configOf = async (name: string): Promise<Checkpoint["config"]> => {
    open = await findCheckpoint(golden(`${name}.gguf`));
    return open.config;
  };
  afterEach(() => {
    open = null;
  });

  it("of a Llama says what config.json would", async () => {
    const config = await configOf("llama-k");
    expect(config.text("model_type")).toBe("llama");
    expect(config.size("vocab_size")).toBe(264);
    expect(config.size("hidden_size")).toBe(256);
    expect(config.size("head_dim")).toBe(16);
    expect(config.number("rope_theta")).toBe(10_000);
    expect(config.number("rms_norm_eps")).toBe(Math.fround(1e-5));
    expect(config.flag("tie_word_embeddings", false)).toBe(true);
    expect(config.flag("attention_bias", true)).toBe(false);
    expect(config.integers("eos_token_id")).toEqual([257, 260]);
    const factors = config.section("rope_scaling")!.numbers("factors");
    expect(factors).toHaveLength(8);
    expect([factors[0], factors.at(-1)]).toEqual([1, 8]);
  });

  it("of GPT-2 has GPT-2's names", async () => {
    const config = await configOf("gpt2");
    const sizes = ["n_embd", "n_layer", "n_head", "n_inner", "n_positions"].map((field) =>
      config.size(field),
    );
    expect(sizes).toEqual([32, 1, 2, 128, 128]);
    expect(config.text("activation_function")).toBe("gelu_new");
    expect(config.number("layer_norm_epsilon")).toBe(Math.fround(1e-5));
  });

  it("tells untied embeddings and biases by the tensors", async () => {
    const config = await configOf("llama-f16");
    expect(config.flag("tie_word_embeddings", true)).toBe(false);
    expect(config.flag("attention_bias", false)).toBe(true);
    expect(config.section("rope_scaling")).toBeNull();
  });
});

describe("the tokenizer", () => {
  it("knows the special tokens and the chat format", async () => {
    const { tokenizer } = await findCheckpoint(golden("llama-k.gguf"));
    const { encode } = tokenizer;
    expect(encode("<|start|><think>", { specialTokens: true })).toEqual([256, 258]);
    expect(encode("he", { specialTokens: true })).toEqual([261]);
    expect(tokenizer.decode(encode("héllo 12 <|end|>", { specialTokens: true }))).toBe("héllo 12 <|end|>");
    expect(tokenizer.endToken).toBe("<|end|>");
    const text = tokenizer.renderChat?.([{ role: "user", content: "hi" }], { addGenerationPrompt: false });
    expect(text).toBe("<|start|>hi<|end|>");
    expect(tokenizer.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

async function readGolden(path: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await readSafetensorsHeader(path);
  const values = new Map<string, Float32Array>();
  for (const [name, entry] of tensors) values.set(name, await readTensor(path, entry));
  return values;
}

async function readWeight({
  dtype,
  shape,
  source,
  byteOffset,
  byteLength,
}: StoredWeight): Promise<Float32Array> {
  const entry = { shape, begin: byteOffset, end: byteOffset + byteLength };
  const file = source.path as string;
  if (dtype === "F32") return readTensor(file, { ...entry, dtype });
  expect(dtype).toBe("F16");
  const bits = await readTensor(file, { ...entry, dtype: "U16" });
  return decodeFloat16(Uint16Array.from(bits));
}
