import { addNormedHeadProjections } from "../parts/linear.ts";
import { type Architecture, COMMON_TENSORS } from "./architecture.ts";
import { addLlamaBlock } from "./llama-like.ts";
import { readQwenConfig } from "./qwen2.ts";

/** Qwen3, dense: Llama with a norm on every query and key head. */
export const qwen3: Architecture = {
  modelTypes: ["qwen3"],
  readConfig(stated) {
    const config = stated.withDefaults({ head_dim: 128, attention_bias: false });
    const bias = config.flag("attention_bias");
    return {
      ...readQwenConfig(config),
      biases: { queryKeyValue: bias, attentionOutput: bias, mlp: false },
    };
  },
  addBlock: (scope, layer, stream) => addLlamaBlock(scope, layer, stream, addNormedHeadProjections),
  tensors: COMMON_TENSORS,
};
