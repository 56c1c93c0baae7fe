import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import { addProjections } from "../parts/linear.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { addLlamaBlock, readLlamaLikeConfig } from "./llama-like.ts";
import { readSlidingLayers, withSlidingBlocks } from "./sliding-blocks.ts";

/** Qwen2 and Qwen2.5: Llama with a bias on queries, keys and values. */
export const qwen2: Architecture = {
  modelTypes: ["qwen2"],
  readConfig: (config) => ({
    ...readQwenConfig(config),
    biases: { queryKeyValue: true, attentionOutput: false, mlp: false },
  }),
  addBlock: (scope, layer, stream) => addLlamaBlock(scope, layer, stream, addProjections),
  tensors: COMMON_TENSORS,
};

/** The fields that Qwen2's and Qwen3's configs share, among them a window in the later blocks that is off by default. */
export function readQwenConfig(stated: ConfigReader): DecoderConfig {
  const config = stated.withDefaults({
    hidden_act: "silu",
    num_key_value_heads: 32,
    max_position_embeddings: 32_768,
    rms_norm_eps: 1e-6,
    use_sliding_window: false,
    sliding_window: 4096,
    max_window_layers: 28,
  });
  const decoder = readLlamaLikeConfig(config);
  const windowed = config.flag("use_sliding_window") && config.has("sliding_window");
  const [firstWindowed = 0] = config.integers("max_window_layers");
  const sliding = readSlidingLayers(
    config,
    decoder.blockCount,
    (layer) => windowed && layer >= firstWindowed,
  );
  if (!sliding.includes(true)) return decoder;
  // transformers forgets the window when the flag is off, and then fails on blocks that slide
  config.allow("use_sliding_window", [true]);
  return withSlidingBlocks(decoder, config.size("sliding_window"), sliding);
}
