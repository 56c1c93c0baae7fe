import { SepError } from "../../errors.ts";
import type { ConfigReader } from "../graph/config-reader.ts";
import { readActivation } from "../graph/decoder-config.ts";
import { addLinear } from "../graph/parts/linear.ts";
import { addActivation } from "../graph/parts/mlp.ts";
import type {
  Convolution,
  EncoderArchitecture,
  EncoderConfig,
  RelativePositions,
} from "./encoder-architecture.ts";

/** DeBERTa, versions 2 and 3: attention over distances as well as contents. */
export const debertaV2: EncoderArchitecture = {
  modelTypes: ["deberta-v2"],
  readConfig: (stated) => readDebertaConfig(stated.withDefaults(DEFAULTS)),
  roots: ["deberta.", ""],
  projections: { query: "query_proj", key: "key_proj", value: "value_proj" },
  addHead(scope, first, labelCount) {
    const { hiddenSize, headActivation } = scope.config;
    const options = { bias: true, exact: true };
    const dense = addLinear(scope, first, "pooler.dense", [hiddenSize, hiddenSize], options);
    const activated = addActivation(scope.graph, headActivation, dense);
    return addLinear(scope, activated, "classifier", [labelCount, hiddenSize], options);
  },
  // learned positions that some checkpoints have and their configs do without; heads
  ignored: /^(embeddings\.position_(embeddings\.weight|ids)$|pooler\.|classifier\.|cls\.|lm_predictions\.)/,
};

const DEFAULTS = {
  hidden_act: "gelu",
  max_position_embeddings: 512,
  type_vocab_size: 0,
  layer_norm_eps: 1e-7,
  relative_attention: false,
  max_relative_positions: -1,
  position_buckets: -1,
  position_biased_input: true,
  pooler_hidden_act: "gelu",
  norm_rel_ebd: "none",
  share_att_key: false,
  conv_kernel_size: 0,
  conv_act: "tanh",
  conv_groups: 1,
} as const;

function readDebertaConfig(config: ConfigReader): EncoderConfig {
  const hiddenSize = config.size("hidden_size");
  const headCount = config.size("num_attention_heads");
  const headSize = hiddenSize / headCount;
  config.allow("attention_head_size", [headSize]);
  config.allow("pooler_hidden_size", [hiddenSize]);
  const kinds = readAttentionKinds(config);
  return {
    modelType: config.text("model_type"),
    blockCount: config.size("num_hidden_layers"),
    hiddenSize,
    embeddingSize: config.size("embedding_size", hiddenSize),
    headCount,
    headSize,
    intermediateSize: config.size("intermediate_size"),
    vocabularySize: config.size("vocab_size"),
    maxPositions: config.size("max_position_embeddings"),
    firstPosition: config.flag("position_biased_input") ? 0 : null,
    tokenTypes: config.number("type_vocab_size"),
    norm: "layer",
    normEpsilon: config.number("layer_norm_eps"),
    activation: readActivation(config, "hidden_act"),
    headActivation: readActivation(config, "pooler_hidden_act"),
    attentionScale: 1 / Math.sqrt(headSize * (1 + kinds.size)),
    relative: config.flag("relative_attention") ? readRelativePositions(config, kinds) : null,
    convolution: readConvolution(config),
  };
}

/** `pos_att_type` is a list, or its items joined by `|`. */
function readAttentionKinds(config: ConfigReader): ReadonlySet<string> {
  if (!config.has("pos_att_type")) return new Set();
  const stated = config.value("pos_att_type");
  const kinds = Array.isArray(stated) ? stated : String(stated).toLowerCase().split("|");
  const names = kinds.map((kind) => String(kind).trim());
  const unknown = names.find((name) => name !== "c2p" && name !== "p2c");
  if (unknown === undefined) return new Set(names);
  throw new SepError(
    "unsupported-model",
    `${config.path}: "pos_att_type" has ${JSON.stringify(unknown)}, but the local engine implements only "c2p" and "p2c".`,
  );
}

function readRelativePositions(config: ConfigReader, kinds: ReadonlySet<string>): RelativePositions {
  config.allow("norm_rel_ebd", ["none", "layer_norm"]);
  const stated = config.number("max_relative_positions");
  const maxDistance = stated < 1 ? config.size("max_position_embeddings") : stated;
  const buckets = config.number("position_buckets");
  return {
    span: buckets > 0 ? buckets : maxDistance,
    buckets: buckets > 0 ? buckets : null,
    maxDistance,
    contentToPosition: kinds.has("c2p"),
    positionToContent: kinds.has("p2c"),
    sharedProjections: config.flag("share_att_key"),
    normed: config.text("norm_rel_ebd") === "layer_norm",
  };
}

function readConvolution(config: ConfigReader): Convolution | null {
  if (config.number("conv_kernel_size") === 0) return null;
  return {
    kernelSize: config.size("conv_kernel_size"),
    groups: config.size("conv_groups"),
    activation: readActivation(config, "conv_act"),
  };
}
