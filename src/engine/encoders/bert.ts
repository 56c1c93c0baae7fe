import { addActivation } from "../graph/parts/activation.ts";
import { addLinear } from "../graph/parts/linear.ts";
import type { EncoderArchitecture } from "./encoder-architecture.ts";
import { readBertLikeConfig } from "./read-bert-like-config.ts";

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
    const dense = addLinear(scope, first, `${root}pooler.dense`, hiddenSize, hiddenSize, options);
    return addLinear(
      scope,
      addActivation(graph, headActivation, dense),
      "classifier",
      labelCount,
      hiddenSize,
      options,
    );
  },
  // the pooler, which sentence embeddings do without; position ids, which old versions of transformers saved
  ignored: /^(pooler\.|embeddings\.position_ids$|cls\.|classifier\.)/,
};
