import type { ConfigReader } from "../graph/config-reader.ts";
import { readActivation } from "../graph/decoder-config.ts";
import { addLinear } from "../graph/parts/linear.ts";
import { addActivation } from "../graph/parts/mlp.ts";
import type { EncoderArchitecture, EncoderConfig } from "./encoder-architecture.ts";

/** BERT, and MiniLM, which is a small one. */
export const bert: EncoderArchitecture = {
  modelTypes: ["bert"],
  readConfig: (stated) =>
    readBertLikeConfig(
      stated.withDefaults({
        hidden_act: "gelu",
        max_position_embeddings: 512,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
      }),
      { firstPosition: 0 },
    ),
  roots: ["bert.", ""],
  projections: { query: "query", key: "key", value: "value" },
  addHead(scope, first, labelCount) {
    const { graph, root, config } = scope;
    const { hiddenSize, headActivation } = config;
    const options = { bias: true, exact: true };
    const dense = addLinear(scope, first, `${root}pooler.dense`, [hiddenSize, hiddenSize], options);
    return addLinear(
      scope,
      addActivation(graph, headActivation, dense),
      "classifier",
      [labelCount, hiddenSize],
      options,
    );
  },
  // the pooler, which sentence embeddings do without; position ids, which old versions of transformers saved
  ignored: /^(pooler\.|embeddings\.position_ids$|cls\.|classifier\.)/,
};

/** RoBERTa and XLM-RoBERTa: BERT with positions counted from behind the padding token's id, and another head. */
export const roberta: EncoderArchitecture = {
  modelTypes: ["roberta", "xlm-roberta"],
  readConfig(stated) {
    const config = stated.withDefaults({
      hidden_act: "gelu",
      max_position_embeddings: 512,
      type_vocab_size: 2,
      layer_norm_eps: 1e-12,
      pad_token_id: 1,
    });
    return readBertLikeConfig(config, { firstPosition: config.number("pad_token_id") + 1 });
  },
  roots: ["roberta.", ""],
  projections: { query: "query", key: "key", value: "value" },
  addHead(scope, first, labelCount) {
    const { hiddenSize, headActivation } = scope.config;
    const options = { bias: true, exact: true };
    const dense = addLinear(scope, first, "classifier.dense", [hiddenSize, hiddenSize], options);
    const activated = addActivation(scope.graph, headActivation, dense);
    return addLinear(scope, activated, "classifier.out_proj", [labelCount, hiddenSize], options);
  },
  ignored: /^(pooler\.|embeddings\.position_ids$|lm_head\.|classifier\.)/,
};

/**
 * The fields that the configs of BERT and its relatives share.
 * @param config with the defaults of the architecture's own config class
 * @param firstPosition row of the position table that a text's first token takes
 */
function readBertLikeConfig(
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
