import { addPreNormBlock } from "../parts/pre-norm-block.ts";
import type { Architecture } from "./architecture.ts";
import { llama, readLlamaLikeConfig } from "./llama.ts";

/** Qwen3, dense: Llama with a norm on every query and key head. */
export const qwen3: Architecture = {
  modelTypes: ["qwen3"],
  readConfig(config) {
    config.allow("use_sliding_window", [false]);
    return readLlamaLikeConfig(config);
  },
  addBlock: (scope, layer, stream) => addPreNormBlock(scope, layer, stream, { queryKeyNorm: true }),
  tensors: llama.tensors,
};
