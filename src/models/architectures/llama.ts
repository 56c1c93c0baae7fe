import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import { addPreNormBlock } from "../parts/pre-norm-block.ts";
import { readRopeSettings } from "../rope.ts";
import type { Architecture } from "./architecture.ts";

/** Llama 2, 3 and their relatives. */
export const llama: Architecture = {
  modelTypes: ["llama"],
  readConfig(config) {
    config.allow("pretraining_tp", [1]);
    return readLlamaLikeConfig(config);
  },
  addBlock: (scope, layer, stream) => addPreNormBlock(scope, layer, stream, { queryKeyNorm: false }),
  tensors: { embedding: "model.embed_tokens.weight", finalNorm: "model.norm.weight", head: "lm_head.weight" },
};

/** The fields that the Llama family's configs share. */
export function readLlamaLikeConfig(config: ConfigReader): DecoderConfig {
  config.allow("hidden_act", ["silu"]);
  const hiddenSize = config.size("hidden_size");
  const headCount = config.size("num_attention_heads");
  return {
    modelType: config.text("model_type"),
    blockCount: config.size("num_hidden_layers"),
    hiddenSize,
    headCount,
    kvHeadCount: config.size("num_key_value_heads", headCount),
    headSize: config.size("head_dim", hiddenSize / headCount),
    intermediateSize: config.size("intermediate_size"),
    vocabularySize: config.size("vocab_size"),
    maxPositions: config.size("max_position_embeddings", 2048),
    normEpsilon: config.number("rms_norm_eps", 1e-6),
    rope: readRopeSettings(config),
    tiedEmbeddings: config.flag("tie_word_embeddings", false),
  };
}
