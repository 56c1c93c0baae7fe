import { addProjections } from "../parts/linear.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { addLlamaBlock, readLlamaLikeConfig } from "./llama-like.ts";
import { withSlidingBlocks } from "./sliding-blocks.ts";

/** Mistral: Llama, in its first version with a sliding window in every block. */
export const mistral: Architecture = {
  modelTypes: ["mistral"],
  readConfig(stated) {
    const config = stated.withDefaults({
      hidden_act: "silu",
      num_key_value_heads: 8,
      max_position_embeddings: 131_072,
      rms_norm_eps: 1e-6,
      sliding_window: 4096,
    });
    // transformers reads such a config and then ignores its layers' types
    config.allow("layer_types", [null]);
    const decoder = readLlamaLikeConfig(config);
    if (!config.has("sliding_window")) return decoder;
    return withSlidingBlocks(
      decoder,
      config.size("sliding_window"),
      decoder.blocks.map(() => true),
    );
  },
  addBlock: (scope, layer, stream) => addLlamaBlock(scope, layer, stream, addProjections),
  tensors: COMMON_TENSORS,
};
