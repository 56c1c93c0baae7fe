import type { ConfigReader } from "../graph/config-reader.ts";
import type { Activation } from "../graph/decoder-config.ts";
import type { TensorName } from "../graph/graph.ts";
import type { LinearScope } from "../graph/graph-scope.ts";

/** Values of `model_type` that are encoders; a list of its own, so that what runs decoders only need not have their graphs. */
export const ENCODER_TYPES = ["bert", "roberta", "xlm-roberta", "deberta-v2"] as const;

/** One family of encoder checkpoints. All of them name and order their blocks as BERT does; this is what differs. */
export interface EncoderArchitecture {
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly (typeof ENCODER_TYPES)[number][];
  /**
   * @throws SepError `unsupported-model` naming a field whose value would change the forward pass in a way that the
   *   graph does not compute
   */
  readConfig(config: ConfigReader): EncoderConfig;
  /** The prefix of the backbone's names: with a head, and without. */
  readonly roots: readonly string[];
  /** Names of a block's three projections, below `attention.self.`. */
  readonly projections: { readonly query: string; readonly key: string; readonly value: string };
  /**
   * From each text's first token to its logits.
   * @param first [B, D]
   * @returns [B, labelCount]
   */
  addHead(scope: EncoderScope, first: TensorName, labelCount: number): TensorName;
  /** Below the root: tensors that take no part, such as heads of other tasks. */
  readonly ignored: RegExp;
}

/**
 * What every part of an encoder graph may use. B texts of S tokens each, the shorter ones padded; N = B * S tokens are
 * kept flat between the attentions.
 */
export interface EncoderScope extends LinearScope {
  readonly config: EncoderConfig;
  readonly projections: EncoderArchitecture["projections"];
  /** What the checkpoint puts before its backbone's names, e.g. `bert.`. */
  readonly root: string;
  /** [B, S] int64 */
  readonly tokenIds: TensorName;
  /** [B, S] int64, 0 for the first text and 1 for the second; null if embeddings do not tell them apart */
  readonly tokenTypeIds: TensorName | null;
  /** [B, S, 1] float32: 1 for a token, 0 for padding */
  readonly tokenMask: TensorName;
  /** [1, B, 1, S] float32, added to scores: far below any of them for padding */
  readonly keyMask: TensorName;
  /** [B, S] int64 */
  readonly shape: TensorName;
  /** null if attention does not look at distances */
  readonly distances: DistanceTensors | null;
}

/** Which tokens a block computes: all, or each text's first one, where nothing reads the others. */
export type Queries = "all" | "first";

/** A transformer that reads whole texts: sizes, and what the graph depends on. Norms follow each sublayer. */
export interface EncoderConfig {
  readonly modelType: string;
  /** L */
  readonly blockCount: number;
  /** D */
  readonly hiddenSize: number;
  /** Width of the embedding tables; projected to `hiddenSize` where it differs. */
  readonly embeddingSize: number;
  /** H */
  readonly headCount: number;
  readonly headSize: number;
  readonly intermediateSize: number;
  /** V */
  readonly vocabularySize: number;
  /** Longest text, tokens. */
  readonly maxPositions: number;
  /** Row of the learned position table that the first token takes; null without learned positions. */
  readonly firstPosition: number | null;
  /** Kinds of tokens that embeddings tell apart (first and second text); 0 for none. */
  readonly tokenTypes: number;
  readonly norm: "layer";
  readonly normEpsilon: number;
  readonly activation: Activation;
  /** Nonlinearity between the two linear layers of a classification head. */
  readonly headActivation: Activation;
  /** Factor on the products of queries and keys, and of both with relative positions. */
  readonly attentionScale: number;
  /** null if attention does not look at distances. */
  readonly relative: RelativePositions | null;
  /** A convolution beside the first block; null for most. */
  readonly convolution: Convolution | null;
}

/** DeBERTa's disentangled attention: scores of contents against embeddings of distances. */
export interface RelativePositions {
  /** Rows of the distances' table are 0 .. 2 span - 1; distance 0 is row `span`. */
  readonly span: number;
  /** Distances beyond half of this share rows on a logarithmic scale; null gives every distance a row of its own. */
  readonly buckets: number | null;
  /** The distance at which the logarithmic scale ends. */
  readonly maxDistance: number;
  readonly contentToPosition: boolean;
  readonly positionToContent: boolean;
  /** Distances go through the contents' own projections. */
  readonly sharedProjections: boolean;
  /** The table is normed before it is projected. */
  readonly normed: boolean;
}

export interface Convolution {
  readonly kernelSize: number;
  readonly groups: number;
  readonly activation: Activation;
}

/** Names of an encoder graph's inputs and outputs: those that models exported from Python transformers have. */
export const ENCODER_TENSORS = {
  tokenIds: "input_ids",
  mask: "attention_mask",
  tokenTypes: "token_type_ids",
  logits: "logits",
  hidden: "last_hidden_state",
} as const;

/** What attention over distances needs, computed once a run and shared by all blocks. S is the batch's length. */
export interface DistanceTensors {
  /** [2 span, D] the distances' embeddings */
  readonly embeddings: TensorName;
  /** [2S] rows of that table for the distances S - 1, S - 2, … , -S */
  readonly descending: TensorName;
  /** [2S] the same for -(S - 1), … , S */
  readonly ascending: TensorName;
  /** [S] the same for 0, -1, … , -(S - 1) */
  readonly fromFirst: TensorName;
  readonly skew: SkewShapes;
}

/** @see addSkew */
interface SkewShapes {
  /** [H, B, S * 2S] */
  readonly flat: TensorName;
  /** [1] S - 1 */
  readonly start: TensorName;
  /** [1] S - 1 + S (2S - 1) */
  readonly end: TensorName;
  /** [H, B, S, 2S - 1] */
  readonly rows: TensorName;
  /** [1] S */
  readonly length: TensorName;
}
