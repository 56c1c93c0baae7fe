import type { ConfigReader } from "../config-reader.ts";
import { type DecoderConfig, equalBlocks, PLAIN_DECODER } from "../decoder-config.ts";
import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addGatedMlp } from "../parts/gated-mlp.ts";
import type { Project } from "../parts/projections.ts";
import { addSequentialBlock } from "../parts/residual-block.ts";
import { addSelfAttention } from "../parts/self-attention.ts";
import type { RopeSettings } from "../rope.ts";
import { readRopeSettings } from "../rope-settings.ts";
import { readActivation } from "./read-activation.ts";

export interface ReadLlamaLikeOptions {
  /** Name of the field with the nonlinearity. */
  readonly activation?: string;
  readonly readRopes?: (config: ConfigReader, headSize: number) => readonly RopeSettings[];
}

/**
 * The fields that the configs of Llama and its relatives share.
 * @param config with the defaults of the architecture's own config class
 */
export function readLlamaLikeConfig(
  config: ConfigReader,
  {
    activation = "hidden_act",
    readRopes = (source, headSize) => [readRopeSettings(source, { headSize })],
  }: ReadLlamaLikeOptions = {},
): DecoderConfig {
  const hiddenSize = config.size("hidden_size");
  const headCount = config.size("num_attention_heads");
  const headSize = config.size("head_dim", hiddenSize / headCount);
  const blockCount = config.size("num_hidden_layers");
  return {
    ...PLAIN_DECODER,
    modelType: config.text("model_type"),
    blockCount,
    hiddenSize,
    headCount,
    kvHeadCount: config.size("num_key_value_heads", headCount),
    headSize,
    intermediateSize: config.size("intermediate_size"),
    vocabularySize: config.size("vocab_size"),
    maxPositions: config.size("max_position_embeddings"),
    normEpsilon: config.number("rms_norm_eps"),
    activation: readActivation(config, activation),
    ropes: readRopes(config, headSize),
    blocks: equalBlocks(blockCount, { sliding: false, rope: 0, attentionScale: 1 / Math.sqrt(headSize) }),
    tiedEmbeddings: config.flag("tie_word_embeddings", false),
  };
}

/** A block of Llama and its relatives: x + attention(norm(x)), then x + mlp(norm(x)). */
export function addLlamaBlock(
  scope: GraphScope,
  layer: number,
  stream: TensorName,
  project: Project,
  addMlp: (scope: GraphScope, x: TensorName, prefix: string) => TensorName = addGatedMlp,
): TensorName {
  const block = `${scope.root}layers.${layer}`;
  return addSequentialBlock(scope, stream, {
    attention: {
      normBefore: `${block}.input_layernorm`,
      compute: (x) =>
        addSelfAttention(scope, layer, project(scope, x, `${block}.self_attn`), `${block}.self_attn.o_proj`),
    },
    mlp: {
      normBefore: `${block}.post_attention_layernorm`,
      compute: (x) => addMlp(scope, x, `${block}.mlp`),
    },
  });
}
