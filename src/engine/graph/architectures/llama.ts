import { addProjections } from "../parts/linear.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { addLlamaBlock, readLlamaLikeConfig } from "./llama-like.ts";
import { refuseWindows } from "./sliding-blocks.ts";

/** Llama 2 and 3, and the many models that are saved as such: SmolLM2, TinyLlama, Yi, the DeepSeek-R1 distillates. */
export const llama: Architecture = {
  modelTypes: ["llama"],
  readConfig(stated) {
    const config = stated.withDefaults({
      hidden_act: "silu",
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-6,
      attention_bias: false,
      mlp_bias: false,
    });
    refuseWindows(config);
    const attention = config.flag("attention_bias");
    return {
      ...readLlamaLikeConfig(config),
      biases: { queryKeyValue: attention, attentionOutput: attention, mlp: config.flag("mlp_bias") },
    };
  },
  addBlock: (scope, layer, stream) => addLlamaBlock(scope, layer, stream, addProjections),
  tensors: COMMON_TENSORS,
};
