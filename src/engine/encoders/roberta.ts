import { addActivation } from "../graph/parts/activation.ts";
import { addLinear } from "../graph/parts/linear.ts";
import type { EncoderArchitecture } from "./encoder-architecture.ts";
import { readBertLikeConfig } from "./read-bert-like-config.ts";

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
    const dense = addLinear(scope, first, "classifier.dense", hiddenSize, hiddenSize, options);
    const activated = addActivation(scope.graph, headActivation, dense);
    return addLinear(scope, activated, "classifier.out_proj", labelCount, hiddenSize, options);
  },
  ignored: /^(pooler\.|embeddings\.position_ids$|lm_head\.|classifier\.)/,
};
