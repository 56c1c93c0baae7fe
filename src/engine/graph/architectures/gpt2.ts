import { type DecoderConfig, PLAIN_DECODER, readActivation } from "../decoder-config.ts";
import { addSelfAttention } from "../parts/attention.ts";
import { addFusedProjections } from "../parts/linear.ts";
import { addMlp } from "../parts/mlp.ts";
import { addSequentialBlock } from "../parts/residual-block.ts";
import type { Architecture } from "./architecture.ts";
import { refuseWindows } from "./sliding-blocks.ts";

/** Second names of fields in transformers' config class, which could contradict the first. */
const ALIASES = [
  ["hidden_size", "n_embd"],
  ["num_hidden_layers", "n_layer"],
  ["num_attention_heads", "n_head"],
] as const;

/** GPT-2: learned positions, layer norms, and weights that are stored [in, out]. */
export const gpt2: Architecture = {
  modelTypes: ["gpt2"],
  readConfig(stated) {
    const config = stated.withDefaults({
      activation_function: "gelu_new",
      n_positions: 1024,
      layer_norm_epsilon: 1e-5,
      scale_attn_weights: true,
      scale_attn_by_inverse_layer_idx: false,
      tie_word_embeddings: true,
    });
    refuseWindows(config);
    for (const [alias, field] of ALIASES) config.allow(alias, [config.size(field)]);
    const hiddenSize = config.size("n_embd");
    const headCount = config.size("n_head");
    const headSize = hiddenSize / headCount;
    const scale = config.flag("scale_attn_weights") ? 1 / Math.sqrt(headSize) : 1;
    const byLayer = config.flag("scale_attn_by_inverse_layer_idx");
    return {
      ...PLAIN_DECODER,
      modelType: config.text("model_type"),
      blockCount: config.size("n_layer"),
      hiddenSize,
      headCount,
      kvHeadCount: headCount,
      headSize,
      intermediateSize: config.size("n_inner", 4 * hiddenSize),
      vocabularySize: config.size("vocab_size"),
      maxPositions: config.size("n_positions"),
      norm: "layer",
      normEpsilon: config.number("layer_norm_epsilon"),
      activation: readActivation(config, "activation_function"),
      biases: { queryKeyValue: true, attentionOutput: true, mlp: true },
      ropes: [],
      blocks: Array.from({ length: config.size("n_layer") }, (_, layer) => ({
        sliding: false,
        rope: null,
        attentionScale: byLayer ? scale / (layer + 1) : scale,
      })),
      tiedEmbeddings: config.flag("tie_word_embeddings"),
    } satisfies DecoderConfig;
  },
  addBlock(scope, layer, stream) {
    const block = `${scope.root}h.${layer}`;
    const layout = { layout: "in-out" } as const;
    return addSequentialBlock(scope, stream, {
      attention: {
        normBefore: `${block}.ln_1`,
        compute: (x) => {
          const projections = addFusedProjections(scope, x, `${block}.attn.c_attn`, layout);
          return addSelfAttention(scope, layer, projections, `${block}.attn.c_proj`, layout);
        },
      },
      mlp: {
        normBefore: `${block}.ln_2`,
        compute: (x) => addMlp(scope, x, { up: `${block}.mlp.c_fc`, down: `${block}.mlp.c_proj`, ...layout }),
      },
    });
  },
  tensors: {
    roots: ["transformer.", ""],
    embedding: "wte",
    positions: "wpe",
    finalNorm: "ln_f",
    heads: ["lm_head"],
    // causal masks, which old versions of transformers saved as buffers
    ignored: /^h\.\d+\.attn\.(masked_)?bias$/,
  },
};
