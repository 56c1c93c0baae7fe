import { type DecoderConfig, equalBlocks, PLAIN_DECODER, readActivation } from "../decoder-config.ts";
import { addSelfAttention } from "../parts/attention.ts";
import { addInterleavedProjections } from "../parts/linear.ts";
import { addMlp } from "../parts/mlp.ts";
import { addParallelBlock, addSequentialBlock } from "../parts/residual-block.ts";
import { DEFAULT_ROPE_THETA, readRopeSettings } from "../rope-settings.ts";
import type { Architecture } from "./architecture.ts";
import { refuseWindows } from "./sliding-blocks.ts";

/** GPT-NeoX and Pythia: a share of each head is rotated, and both sublayers read the same stream. */
export const gptNeox: Architecture = {
  modelTypes: ["gpt_neox"],
  readConfig(stated) {
    const config = stated.withDefaults({
      hidden_act: "gelu",
      max_position_embeddings: 2048,
      layer_norm_eps: 1e-5,
      rotary_pct: 0.25,
      rotary_emb_base: DEFAULT_ROPE_THETA,
      use_parallel_residual: true,
      attention_bias: true,
      tie_word_embeddings: false,
    });
    const hiddenSize = config.size("hidden_size");
    const headCount = config.size("num_attention_heads");
    const headSize = hiddenSize / headCount;
    const blockCount = config.size("num_hidden_layers");
    const theta = config.number("rotary_emb_base");
    const rotaryShare = config.number("rotary_pct");
    // names that transformers does not read here
    config.allow("head_dim", [headSize, null]);
    config.allow("rope_theta", [theta, null]);
    config.allow("partial_rotary_factor", [rotaryShare, null]);
    refuseWindows(config);
    const bias = config.flag("attention_bias");
    return {
      ...PLAIN_DECODER,
      modelType: config.text("model_type"),
      blockCount,
      hiddenSize,
      headCount,
      kvHeadCount: headCount,
      headSize,
      intermediateSize: config.size("intermediate_size"),
      vocabularySize: config.size("vocab_size"),
      maxPositions: config.size("max_position_embeddings"),
      norm: "layer",
      normEpsilon: config.number("layer_norm_eps"),
      activation: readActivation(config, "hidden_act"),
      biases: { queryKeyValue: bias, attentionOutput: bias, mlp: true },
      ropes: [readRopeSettings(config, { headSize, theta, rotaryShare })],
      blocks: equalBlocks(blockCount, { sliding: false, rope: 0, attentionScale: 1 / Math.sqrt(headSize) }),
      parallelResidual: config.flag("use_parallel_residual"),
      tiedEmbeddings: config.flag("tie_word_embeddings"),
    } satisfies DecoderConfig;
  },
  addBlock(scope, layer, stream) {
    const block = `${scope.root}layers.${layer}`;
    const sublayers = {
      attention: {
        normBefore: `${block}.input_layernorm`,
        compute: (x: string) => {
          const projections = addInterleavedProjections(scope, x, `${block}.attention.query_key_value`);
          return addSelfAttention(scope, layer, projections, `${block}.attention.dense`);
        },
      },
      mlp: {
        normBefore: `${block}.post_attention_layernorm`,
        compute: (x: string) =>
          addMlp(scope, x, { up: `${block}.mlp.dense_h_to_4h`, down: `${block}.mlp.dense_4h_to_h` }),
      },
    };
    return scope.config.parallelResidual
      ? addParallelBlock(scope, stream, sublayers)
      : addSequentialBlock(scope, stream, sublayers);
  },
  tensors: {
    roots: ["gpt_neox."],
    embedding: "embed_in",
    positions: null,
    finalNorm: "final_layer_norm",
    heads: ["embed_out", "lm_head"],
    // buffers of old versions of transformers
    ignored: /^layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
  },
};
