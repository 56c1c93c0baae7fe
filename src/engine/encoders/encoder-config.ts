import type { Activation } from "../graph/decoder-config.ts";

/** A transformer that reads whole texts: sizes, and what the graph depends on. Norms stand behind each sublayer. */
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
  /** Nonlinearity between the two maps of a classification head. */
  readonly headActivation: Activation;
  /** Factor on the products of queries and keys, and of both with relative positions. */
  readonly attentionScale: number;
  /** null where attention does not look at distances. */
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
