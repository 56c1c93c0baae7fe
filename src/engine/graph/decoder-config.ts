import type { ConfigReader } from "./config-reader.ts";
import type { RopeSettings } from "./rope.ts";

/** The norms of the residual stream: RMS, RMS with 1 + weight (Gemma), or layer norm with a bias. */
type NormKind = "rms" | "rms-plus-one" | "layer";

/** Nonlinearity of the feed-forward network; `gelu-tanh` is the tanh approximation of GELU. */
export type Activation = "silu" | "gelu" | "gelu-tanh" | "relu" | "tanh";

/** A decoder-only transformer, whatever its checkpoint calls its parts: sizes, and what the graph depends on. */
export interface DecoderConfig {
  readonly modelType: string;
  /** L: transformer blocks; there are L + 1 residual layers. */
  readonly blockCount: number;
  /** D: width of the residual stream. */
  readonly hiddenSize: number;
  /** H: query heads. */
  readonly headCount: number;
  /** Key/value heads; divides `headCount`. */
  readonly kvHeadCount: number;
  readonly headSize: number;
  readonly intermediateSize: number;
  /** V. */
  readonly vocabularySize: number;
  /** Longest prompt + answer the model was made for, tokens. */
  readonly maxPositions: number;
  /** @internal */
  readonly norm: NormKind;
  readonly normEpsilon: number;
  /** @internal */
  readonly activation: Activation;
  /** Factor on the token embeddings. */
  readonly embeddingScale: number;
  /**
   * Which projections have a bias in every block.
   * @internal
   */
  readonly biases: Biases;
  /**
   * The rotary settings that blocks choose from; none where positions are learned.
   * @internal
   */
  readonly ropes: readonly RopeSettings[];
  /** Tokens that a sliding block looks back on, the token itself included; null without such blocks. */
  readonly window: number | null;
  /**
   * [L]
   * @internal
   */
  readonly blocks: readonly BlockSettings[];
  /** c of c tanh(score / c) on attention scores. */
  readonly attentionSoftcap: number | null;
  /** c of c tanh(logit / c). */
  readonly logitSoftcap: number | null;
  /** Attention and feed-forward network read the same input, and their outputs are added together (GPT-NeoX). */
  readonly parallelResidual: boolean;
  /** The output head is the embedding matrix. */
  readonly tiedEmbeddings: boolean;
}

interface Biases {
  readonly queryKeyValue: boolean;
  readonly attentionOutput: boolean;
  readonly mlp: boolean;
}

/** What may differ from block to block. */
export interface BlockSettings {
  /** Sees the last `window` tokens only. */
  readonly sliding: boolean;
  /** Index into `ropes`; null turns nothing. */
  readonly rope: number | null;
  /** Factor on the products of queries and keys. */
  readonly attentionScale: number;
}

/** Settings that most architectures share; each spreads them and states what differs. */
export const PLAIN_DECODER: Pick<
  DecoderConfig,
  "norm" | "embeddingScale" | "biases" | "window" | "attentionSoftcap" | "logitSoftcap" | "parallelResidual"
> = {
  norm: "rms",
  embeddingScale: 1,
  biases: { queryKeyValue: false, attentionOutput: false, mlp: false },
  window: null,
  attentionSoftcap: null,
  logitSoftcap: null,
  parallelResidual: false,
};

/** L blocks that are all alike. */
export const equalBlocks = (blockCount: number, settings: BlockSettings): readonly BlockSettings[] =>
  Array.from({ length: blockCount }, () => settings);

/** transformers' names (`ACT2FN`); those of one row are the same function up to rounding. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  relu: "relu",
  tanh: "tanh",
};

/** @throws SepError `unsupported-model` for a function that is not implemented */
export function readActivation(config: ConfigReader, field: string): Activation {
  config.allow(field, Object.keys(ACTIVATIONS));
  return ACTIVATIONS[config.text(field)] as Activation;
}
