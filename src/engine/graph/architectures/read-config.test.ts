import { describe, expect, it } from "vitest";
import type { SepError } from "../../../errors.ts";
import { createConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import { findArchitecture } from "./registry.ts";

type Fields = Readonly<Record<string, unknown>>;

const SIZES: Fields = {
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 56,
  vocab_size: 264,
};
const GPT2: Fields = { n_embd: 32, n_layer: 2, n_head: 4, vocab_size: 264 };
const LIKE_LLAMA = ["llama", "mistral", "qwen2", "qwen3", "olmo2", "gemma2", "gemma3_text"];
const EVERY = [...LIKE_LLAMA, "phi3", "gpt_neox", "gpt2"];

function read(modelType: string, fields: Fields): DecoderConfig {
  const sizes = modelType === "gpt2" ? GPT2 : SIZES;
  // as a file has it: without the fields that are undefined
  const text = JSON.stringify({ model_type: modelType, ...sizes, ...fields });
  const config = createConfigReader("config.json", JSON.parse(text) as Fields);
  return findArchitecture(config).readConfig(config);
}

/** [model types, fields, words of the message: the field and its value] */
const REFUSED: readonly (readonly [readonly string[], Fields, readonly string[]])[] = [
  // fields that mean another forward pass in any architecture
  [EVERY, { quantization_config: { quant_method: "gptq" } }, ["quantization_config", "gptq"]],
  [EVERY, { is_causal: false }, ["is_causal", "false"]],
  [EVERY, { is_encoder_decoder: true }, ["is_encoder_decoder", "true"]],
  [EVERY, { add_cross_attention: true }, ["add_cross_attention", "true"]],
  [EVERY, { per_layer_config: { 0: {} } }, ["per_layer_config"]],
  [EVERY, { attention_chunk_size: 8192 }, ["attention_chunk_size", "8192"]],
  [EVERY, { use_mrope: true }, ["use_mrope", "true"]],
  [EVERY, { num_experts: 8 }, ["num_experts", "8"]],
  [EVERY, { num_local_experts: 8 }, ["num_local_experts", "8"]],
  [EVERY, { n_routed_experts: 64 }, ["n_routed_experts", "64"]],
  [EVERY, { layer_types: ["full_attention", "linear_attention"] }, ["layer_types", "linear_attention"]],
  // activations
  [
    ["llama", "mistral", "qwen2", "qwen3", "olmo2", "phi3", "gpt_neox"],
    { hidden_act: "relu2" },
    ["hidden_act", "relu2"],
  ],
  [["gemma2", "gemma3_text"], { hidden_activation: "quick_gelu" }, ["hidden_activation", "quick_gelu"]],
  [["gpt2"], { activation_function: "gelu_10" }, ["activation_function", "gelu_10"]],
  // rotary embeddings
  [
    ["llama", "mistral", "qwen2", "qwen3", "olmo2", "gemma2", "gemma3_text", "gpt_neox"],
    { rope_scaling: { rope_type: "proportional", factor: 2 } },
    ["rope_scaling", "proportional"],
  ],
  [
    ["llama", "mistral", "qwen2", "qwen3", "olmo2", "gemma2", "gemma3_text", "gpt_neox"],
    { rope_scaling: { type: "longrope", short_factor: [1], long_factor: [2] } },
    ["rope_scaling", "longrope"],
  ],
  [["phi3"], { rope_scaling: { type: "su", short_factor: [1], long_factor: [2] } }, ["rope_scaling", "su"]],
  [["phi3"], { rope_scaling: { type: "yarn", factor: 2 } }, ["rope_scaling", "yarn"]],
  [["phi3"], { rope_scaling: { type: "linear", factor: 2 } }, ["rope_scaling", "linear"]],
  [["qwen2"], { rope_scaling: { type: "mrope", mrope_section: [2, 2] } }, ["rope_scaling", "mrope"]],
  [["qwen2"], { rope_scaling: { type: "default", mrope_section: [2, 2] } }, ["mrope_section", "[2,2]"]],
  [["llama"], { rope_scaling: { type: "yarn", factor: 2, mscale: 0.7 } }, ["mscale", "0.7"]],
  [["llama"], { rope_scaling: { type: "yarn", factor: 2, truncate: false } }, ["truncate", "false"]],
  [
    ["llama"],
    { rope_scaling: { type: "linear", factor: 2, attention_factor: 3 } },
    ["attention_factor", "3"],
  ],
  [["phi3"], { rope_scaling: { type: "longrope", short_mscale: 1.2 } }, ["short_mscale", "1.2"]],
  [LIKE_LLAMA, { partial_rotary_factor: 0.5 }, ["partial_rotary_factor", "0.5"]],
  [
    ["llama", "qwen3"],
    { rope_parameters: { rope_type: "linear", factor: 2, partial_rotary_factor: 0.25 } },
    ["partial_rotary_factor", "0.25"],
  ],
  [["phi3"], { partial_rotary_factor: 1.5 }, ["1.5"]],
  [["gpt_neox"], { rotary_pct: 0.1 }, ["0.1"]],
  [["gpt_neox"], { partial_rotary_factor: 0.5 }, ["partial_rotary_factor", "0.5"]],
  [["gpt_neox"], { rope_theta: 500_000 }, ["rope_theta", "500000"]],
  [
    ["qwen2", "gemma2"],
    { rope_parameters: { full_attention: { rope_type: "default" } } },
    ["rope_parameters", "full_attention"],
  ],
  [["gemma3_text"], { rope_parameters: { chunked_attention: {} } }, ["rope_parameters", "chunked_attention"]],
  [
    ["gemma3_text"],
    {
      rope_scaling: { rope_type: "linear", factor: 8 },
      rope_parameters: { full_attention: { rope_type: "default" } },
    },
    ["rope_scaling"],
  ],
  // attention
  [["llama", "olmo2", "gpt_neox", "gpt2"], { sliding_window: 64 }, ["sliding_window", "64"]],
  [
    ["mistral"],
    { layer_types: ["full_attention", "sliding_attention"] },
    ["layer_types", "sliding_attention"],
  ],
  [
    ["qwen2", "qwen3"],
    { use_sliding_window: false, layer_types: ["full_attention", "sliding_attention"] },
    ["use_sliding_window", "false"],
  ],
  [["gemma2", "gemma3_text"], { use_bidirectional_attention: true }, ["use_bidirectional_attention", "true"]],
  [["gemma3_text"], { attn_logit_softcapping: 50 }, ["attn_logit_softcapping", "50"]],
  [["gpt_neox"], { head_dim: 16 }, ["head_dim", "16"]],
  // second names of one field
  [["gpt2"], { hidden_size: 64 }, ["hidden_size", "64"]],
  [["gpt2"], { num_attention_heads: 8 }, ["num_attention_heads", "8"]],
  [["gpt2"], { num_hidden_layers: 3 }, ["num_hidden_layers", "3"]],
];

const rows = REFUSED.flatMap(([modelTypes, fields, words]) =>
  modelTypes.map((modelType) => ({ modelType, fields, words, shown: JSON.stringify(fields) })),
);

describe("refuses what the graph does not compute", () => {
  it.each(rows)("$modelType with $shown", ({ modelType, fields, words }) => {
    let error: SepError | null = null;
    try {
      read(modelType, fields);
    } catch (caught) {
      error = caught as SepError;
    }
    expect(error?.code).toBe("unsupported-model");
    for (const word of words) expect(error?.message).toContain(word);
  });

  it("an encoder, naming what it is for", () => {
    expect(() => read("deberta-v2", {})).toThrow(
      expect.objectContaining({
        code: "unsupported-model",
        message: expect.stringMatching(/"deberta-v2" is an encoder.*docs\/nli\.md/) as string,
      }) as Error,
    );
  });

  it.each(["mixtral", "qwen3_moe", "gemma", "cohere", "mamba", "t5"])("model_type %s", (modelType) => {
    expect(() => read(modelType, {})).toThrow(
      expect.objectContaining({
        code: "unsupported-model",
        message: expect.stringContaining(`model_type "${modelType}" is not implemented`) as string,
      }) as Error,
    );
  });
});

describe("refuses configs that contradict themselves", () => {
  it.each([
    ["qwen2", { use_sliding_window: true, layer_types: ["full_attention"] }, "layer_types"],
    [
      "qwen2",
      {
        use_sliding_window: true,
        sliding_window: null,
        layer_types: ["sliding_attention", "full_attention"],
      },
      "sliding_window",
    ],
    ["gemma2", { sliding_window: null }, "sliding_window"],
    [
      "phi3",
      { rope_scaling: { type: "longrope", short_factor: [1, 2], long_factor: [1, 2] } },
      "short_factor",
    ],
    ["gpt2", { n_head: undefined }, "n_head"],
    ["llama", { num_attention_heads: null }, "num_attention_heads"],
    ["gemma3", {}, "text_config"],
  ])("%s with %j", (modelType, fields, word) => {
    expect(() => read(modelType, fields)).toThrow(
      expect.objectContaining({
        code: "bad-checkpoint",
        message: expect.stringContaining(word) as string,
      }) as Error,
    );
  });
});

describe("takes the defaults of each config class for absent fields", () => {
  it.each([
    [
      "llama",
      { maxPositions: 2048, normEpsilon: 1e-6, window: null, tiedEmbeddings: false, activation: "silu" },
    ],
    ["mistral", { maxPositions: 131_072, normEpsilon: 1e-6, window: 4096, kvHeadCount: 8 }],
    ["qwen2", { maxPositions: 32_768, normEpsilon: 1e-6, window: null, kvHeadCount: 32 }],
    ["qwen3", { maxPositions: 32_768, headSize: 128, window: null, kvHeadCount: 32 }],
    ["gemma2", { maxPositions: 8192, headSize: 256, window: 4096, attentionSoftcap: 50, logitSoftcap: 30 }],
    [
      "gemma3_text",
      { maxPositions: 131_072, headSize: 256, window: 4096, attentionSoftcap: null, logitSoftcap: null },
    ],
    ["phi3", { maxPositions: 4096, normEpsilon: 1e-5, window: null, kvHeadCount: 4 }],
    ["olmo2", { maxPositions: 2048, normEpsilon: 1e-5, window: null, kvHeadCount: 4 }],
    ["gpt_neox", { maxPositions: 2048, parallelResidual: true, activation: "gelu", tiedEmbeddings: false }],
    ["gpt2", { maxPositions: 1024, intermediateSize: 128, activation: "gelu-tanh", tiedEmbeddings: true }],
  ])("%s", (modelType, expected) => {
    expect(read(modelType, { num_key_value_heads: undefined })).toMatchObject(expected);
  });
});

describe("reads configs in the spelling they were published in", () => {
  it("Qwen2.5-0.5B: a window that is switched off", () => {
    const fields = {
      hidden_size: 896,
      num_attention_heads: 14,
      num_hidden_layers: 24,
      num_key_value_heads: 2,
      max_position_embeddings: 32_768,
      max_window_layers: 24,
      rope_theta: 1_000_000,
      sliding_window: 32_768,
      tie_word_embeddings: true,
      use_mrope: false,
      use_sliding_window: false,
    };
    const config = read("qwen2", fields);
    expect(config).toMatchObject({ headSize: 64, window: null, tiedEmbeddings: true });
    expect(config.ropes[0]?.theta).toBe(1_000_000);
  });

  it("Gemma 3 4B: a text part that states only what differs from the defaults", () => {
    const text_config = {
      hidden_size: 2560,
      intermediate_size: 10_240,
      model_type: "gemma3_text",
      num_hidden_layers: 34,
      rope_scaling: { factor: 8, rope_type: "linear" },
      sliding_window: 1024,
    };
    const config = read("gemma3", { text_config, vision_config: {} });
    expect(config).toMatchObject({ headCount: 8, kvHeadCount: 4, headSize: 256, window: 1024 });
    expect(config).toMatchObject({ vocabularySize: 262_208, tiedEmbeddings: true });
    expect(config.ropes).toEqual([
      { theta: 1_000_000, rotarySize: 256, scaling: { kind: "linear", factor: 8 } },
      { theta: 10_000, rotarySize: 256, scaling: { kind: "default" } },
    ]);
    const global = config.blocks.flatMap(({ sliding }, layer) => (sliding ? [] : [layer]));
    expect(global).toEqual([5, 11, 17, 23, 29]);
  });

  it("Phi-4-mini: a window beyond the context, which LongRoPE bounds", () => {
    const factors = Array.from({ length: 48 }, (_, i) => 1 + i);
    const config = read("phi3", {
      hidden_size: 3072,
      num_attention_heads: 24,
      num_key_value_heads: 8,
      max_position_embeddings: 131_072,
      original_max_position_embeddings: 4096,
      partial_rotary_factor: 0.75,
      rope_scaling: { long_factor: factors, short_factor: factors, type: "longrope" },
      sliding_window: 262_144,
    });
    expect(config).toMatchObject({ maxPositions: 4096, window: null });
    expect(config.ropes[0]).toMatchObject({ rotarySize: 96, scaling: { kind: "longrope" } });
  });

  it("GPT-NeoX 20B: without the residual's flag", () => {
    const config = read("gpt_neox", { hidden_act: "gelu_fast", rotary_emb_base: 10_000, rotary_pct: 0.25 });
    expect(config).toMatchObject({ parallelResidual: true, activation: "gelu-tanh" });
    expect(config.ropes[0]?.rotarySize).toBe(2);
  });
});
