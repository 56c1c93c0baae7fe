import { addSelfAttention } from "../parts/attention.ts";
import { addNormedProjections } from "../parts/linear.ts";
import { addGatedMlp } from "../parts/mlp.ts";
import { addSequentialBlock } from "../parts/residual-block.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { readLlamaLikeConfig } from "./llama-like.ts";
import { refuseWindows } from "./sliding-blocks.ts";

/** OLMo 2: x + norm(attention(x)), then x + norm(mlp(x)); queries and keys are normed over all their heads at once. */
export const olmo2: Architecture = {
  modelTypes: ["olmo2"],
  readConfig(stated) {
    const config = stated.withDefaults({
      hidden_act: "silu",
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      attention_bias: false,
    });
    refuseWindows(config);
    const bias = config.flag("attention_bias");
    return {
      ...readLlamaLikeConfig(config),
      biases: { queryKeyValue: bias, attentionOutput: bias, mlp: false },
    };
  },
  addBlock(scope, layer, stream) {
    const block = `${scope.root}layers.${layer}`;
    return addSequentialBlock(scope, stream, {
      attention: {
        compute: (x) =>
          addSelfAttention(
            scope,
            layer,
            addNormedProjections(scope, x, `${block}.self_attn`),
            `${block}.self_attn.o_proj`,
          ),
        normAfter: `${block}.post_attention_layernorm`,
      },
      mlp: {
        compute: (x) => addGatedMlp(scope, x, `${block}.mlp`),
        normAfter: `${block}.post_feedforward_layernorm`,
      },
    });
  },
  tensors: COMMON_TENSORS,
};
