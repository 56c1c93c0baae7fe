// A Qwen3 of any shape with random weights in bfloat16, and the embedded model's tokenizer: for measuring loads and
// memory of sizes that no package ships.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layoutSafetensors } from "../../dist/formats/encode-safetensors.js";

/** The published sizes of Qwen3-0.6B. */
export const QWEN3_06B = {
  hidden_size: 1024,
  intermediate_size: 3072,
  num_hidden_layers: 28,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  head_dim: 128,
  vocab_size: 151_936,
  max_position_embeddings: 40_960,
};

/** Writes the checkpoint and returns how many numbers its weights have. */
export async function writeRandomQwen3(folder, shape) {
  const pocket = fileURLToPath(new URL("../../models/pocket", import.meta.url));
  mkdirSync(folder, { recursive: true });
  for (const name of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(join(pocket, name), join(folder, name));
  const { layer_types: _, ...config } = JSON.parse(readFileSync(join(pocket, "config.json"), "utf8"));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...shape }));

  const tensors = tensorShapes(shape).map(([name, dimensions]) => ({
    name,
    dtype: "BF16",
    shape: dimensions,
  }));
  const layout = layoutSafetensors(tensors);
  const file = await open(join(folder, "model.safetensors"), "w");
  await file.write(layout.header, 0, layout.header.length, 0);
  const random = createRandom();
  let numbers = 0;
  for (const { begin, end, shape: dimensions } of layout.entries.values()) {
    numbers += (end - begin) / 2;
    const isNorm = dimensions.length === 1;
    for (let at = begin; at < end; at += PIECE) {
      const halves = new Uint16Array(Math.min(PIECE, end - at) / 2);
      // a bfloat16 is the upper half of a float32: sign and seven random bits on the exponent of 2^-6, norms are 1
      for (let i = 0; i < halves.length; i++) halves[i] = isNorm ? 0x3f80 : 0x3c80 | (random() & 0x807f);
      await file.write(new Uint8Array(halves.buffer), 0, halves.byteLength, at);
    }
  }
  await file.close();
  return numbers;
}

const PIECE = 1 << 24;

function tensorShapes(shape) {
  const { hidden_size: width, intermediate_size: inner, head_dim: head } = shape;
  const [queries, keys] = [shape.num_attention_heads * head, shape.num_key_value_heads * head];
  const blocks = Array.from({ length: shape.num_hidden_layers }, (_, layer) =>
    [
      ["input_layernorm", [width]],
      ["post_attention_layernorm", [width]],
      ["self_attn.q_proj", [queries, width]],
      ["self_attn.k_proj", [keys, width]],
      ["self_attn.v_proj", [keys, width]],
      ["self_attn.o_proj", [width, queries]],
      ["self_attn.q_norm", [head]],
      ["self_attn.k_norm", [head]],
      ["mlp.gate_proj", [inner, width]],
      ["mlp.up_proj", [inner, width]],
      ["mlp.down_proj", [width, inner]],
    ].map(([name, dimensions]) => [`model.layers.${layer}.${name}.weight`, dimensions]),
  );
  return [
    ["model.embed_tokens.weight", [shape.vocab_size, width]],
    ["model.norm.weight", [width]],
    ...blocks.flat(),
  ];
}

/** Marsaglia's xorshift, 32 bits. */
function createRandom() {
  let state = 2_463_534_242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
