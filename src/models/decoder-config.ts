import type { RopeSettings } from "./rope.ts";

/** The sizes of a decoder-only transformer, whatever its checkpoint calls them. */
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
  readonly normEpsilon: number;
  readonly rope: RopeSettings;
  /** The output head is the embedding matrix. */
  readonly tiedEmbeddings: boolean;
}
