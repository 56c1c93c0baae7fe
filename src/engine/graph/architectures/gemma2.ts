import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addSelfAttention } from "../parts/attention.ts";
import { addProjections, type Project } from "../parts/linear.ts";
import { addGatedMlp } from "../parts/mlp.ts";
import { addSequentialBlock } from "../parts/residual-block.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { type ReadLlamaLikeOptions, readLlamaLikeConfig } from "./llama-like.ts";
import { readSlidingLayers, withSlidingBlocks } from "./sliding-blocks.ts";

/** Gemma 2: norms before and after each sublayer, a window in every other block, scores and logits soft-capped. */
export const gemma2: Architecture = {
  modelTypes: ["gemma2"],
  readConfig(stated) {
    const config = stated.withDefaults({
      ...GEMMA_DEFAULTS,
      max_position_embeddings: 8192,
      final_logit_softcapping: 30,
      attn_logit_softcapping: 50,
    });
    const decoder = readGemmaConfig(config);
    return withSlidingBlocks(
      { ...decoder, attentionSoftcap: readSoftcap(config, "attn_logit_softcapping") },
      config.size("sliding_window"),
      readSlidingLayers(config, decoder.blockCount, (layer) => layer % 2 === 0),
    );
  },
  addBlock: (scope, layer, stream) => addGemmaBlock(scope, layer, stream, addProjections),
  tensors: COMMON_TENSORS,
};

/** What Gemma 2's and Gemma 3's config classes share. */
export const GEMMA_DEFAULTS = {
  hidden_activation: "gelu_pytorch_tanh",
  num_key_value_heads: 4,
  head_dim: 256,
  rms_norm_eps: 1e-6,
  attention_bias: false,
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
  tie_word_embeddings: true,
} as const;

/** @param config with the defaults of its class */
export function readGemmaConfig(
  config: ConfigReader,
  options: Pick<ReadLlamaLikeOptions, "readRopes"> = {},
): DecoderConfig {
  config.allow("use_bidirectional_attention", [false, null]);
  // old configs state `hidden_act` too, and transformers does not read it
  const decoder = readLlamaLikeConfig(config, { activation: "hidden_activation", ...options });
  const attentionScale = 1 / Math.sqrt(config.number("query_pre_attn_scalar"));
  const bias = config.flag("attention_bias");
  return {
    ...decoder,
    // GGUF files store 1 + weight; Hugging Face's configs have no such field
    norm: config.flag("norm_weights_include_one", false) ? "rms" : "rms-plus-one",
    // rounded to float32, as in transformers' float32 runs, whatever the weights are stored in
    embeddingScale: Math.fround(Math.sqrt(decoder.hiddenSize)),
    biases: { queryKeyValue: bias, attentionOutput: bias, mlp: false },
    blocks: decoder.blocks.map((block) => ({ ...block, attentionScale })),
    logitSoftcap: readSoftcap(config, "final_logit_softcapping"),
  };
}

/** x + norm(attention(norm(x))), then x + norm(mlp(norm(x))). */
export function addGemmaBlock(
  scope: GraphScope,
  layer: number,
  stream: TensorName,
  project: Project,
): TensorName {
  const block = `${scope.root}layers.${layer}`;
  return addSequentialBlock(scope, stream, {
    attention: {
      normBefore: `${block}.input_layernorm`,
      compute: (x) =>
        addSelfAttention(scope, layer, project(scope, x, `${block}.self_attn`), `${block}.self_attn.o_proj`),
      normAfter: `${block}.post_attention_layernorm`,
    },
    mlp: {
      normBefore: `${block}.pre_feedforward_layernorm`,
      compute: (x) => addGatedMlp(scope, x, `${block}.mlp`),
      normAfter: `${block}.post_feedforward_layernorm`,
    },
  });
}

const readSoftcap = (config: ConfigReader, field: string): number | null =>
  config.has(field) ? config.number(field) : null;
