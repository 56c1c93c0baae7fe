import { readActivation } from "../graph/architectures/read-activation.ts";
import type { ConfigReader } from "../graph/config-reader.ts";
import type { EncoderConfig } from "./encoder-config.ts";

/**
 * The fields that the configs of BERT and its relatives share.
 * @param config with the defaults of the architecture's own config class
 * @param firstPosition row of the position table that a text's first token takes
 */
export function readBertLikeConfig(
  config: ConfigReader,
  { firstPosition }: { readonly firstPosition: number },
): EncoderConfig {
  config.allow("is_decoder", [false]);
  config.allow("position_embedding_type", ["absolute"]);
  const hiddenSize = config.size("hidden_size");
  const headCount = config.size("num_attention_heads");
  config.allow("embedding_size", [hiddenSize]);
  const headSize = hiddenSize / headCount;
  return {
    modelType: config.text("model_type"),
    blockCount: config.size("num_hidden_layers"),
    hiddenSize,
    embeddingSize: hiddenSize,
    headCount,
    headSize,
    intermediateSize: config.size("intermediate_size"),
    vocabularySize: config.size("vocab_size"),
    maxPositions: config.size("max_position_embeddings") - firstPosition,
    firstPosition,
    tokenTypes: config.number("type_vocab_size"),
    norm: "layer",
    normEpsilon: config.number("layer_norm_eps"),
    activation: readActivation(config, "hidden_act"),
    headActivation: "tanh",
    attentionScale: 1 / Math.sqrt(headSize),
    relative: null,
    convolution: null,
  };
}
