import type { TensorName } from "../graph/graph.ts";
import type { LinearScope } from "../graph/graph-scope.ts";
import type { EncoderArchitecture } from "./encoder-architecture.ts";
import type { EncoderConfig } from "./encoder-config.ts";
import type { DistanceTensors } from "./parts/distances.ts";

/**
 * What every part of an encoder graph may use. B texts of S tokens each, the shorter ones padded; N = B * S tokens are
 * kept flat between the attentions.
 */
export interface EncoderScope extends LinearScope {
  readonly config: EncoderConfig;
  readonly projections: EncoderArchitecture["projections"];
  /** What the checkpoint puts before its trunk's names, e.g. `bert.`. */
  readonly root: string;
  /** [B, S] int64 */
  readonly tokenIds: TensorName;
  /** [B, S] int64, 0 for the first text and 1 for the second; null where embeddings do not tell them apart */
  readonly tokenTypeIds: TensorName | null;
  /** [B, S, 1] float32: 1 for a token, 0 for padding */
  readonly tokenMask: TensorName;
  /** [1, B, 1, S] float32, added to scores: far below any of them for padding */
  readonly keyMask: TensorName;
  /** [B, S] int64 */
  readonly shape: TensorName;
  /** null where attention does not look at distances */
  readonly distances: DistanceTensors | null;
}

/** Which tokens a block computes: all, or each text's first one, where nothing reads the others. */
export type Queries = "all" | "first";
