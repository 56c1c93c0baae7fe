import { addFusedProjections } from "../parts/linear.ts";
import { addFusedGatedMlp } from "../parts/mlp.ts";
import { readRopeSettings } from "../rope-settings.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { addLlamaBlock, readLlamaLikeConfig } from "./llama-like.ts";
import { withSlidingBlocks } from "./sliding-blocks.ts";

/**
 * Phi-3 and Phi-4: Llama with fused projections. Where LongRoPE stretches the context, only the original one is
 * taken: beyond it every earlier key would have to be rotated again.
 */
export const phi3: Architecture = {
  modelTypes: ["phi3"],
  readConfig(stated) {
    const config = stated.withDefaults({
      hidden_act: "silu",
      max_position_embeddings: 4096,
      original_max_position_embeddings: 4096,
      rms_norm_eps: 1e-5,
    });
    config.allow("layer_types", [null]);
    const rotaryShare = config.number("partial_rotary_factor", 1);
    const decoder = readLlamaLikeConfig(config, {
      readRopes: (_, headSize) => [
        readRopeSettings(config, { headSize, rotaryShare, kinds: ["default", "longrope"] }),
      ],
    });
    const original = config.size("original_max_position_embeddings");
    const stretched = decoder.ropes[0]?.scaling.kind === "longrope";
    const maxPositions = stretched ? Math.min(decoder.maxPositions, original) : decoder.maxPositions;
    const bounded = { ...decoder, maxPositions };
    if (!config.has("sliding_window")) return bounded;
    return withSlidingBlocks(
      bounded,
      config.size("sliding_window"),
      decoder.blocks.map(() => true),
    );
  },
  addBlock: (scope, layer, stream) =>
    addLlamaBlock(
      scope,
      layer,
      stream,
      (_, x, attention) => addFusedProjections(scope, x, `${attention}.qkv_proj`),
      addFusedGatedMlp,
    ),
  tensors: COMMON_TENSORS,
};
