import type { DeviceOperators } from "../runtime/device.ts";
import type { MaskKind } from "./attention-masks.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { OnnxGraph, TensorName } from "./graph.ts";
import type { GraphWeights } from "./graph-weights.ts";

/** What a linear map needs of the graph that it is added to. */
export interface LinearScope {
  readonly graph: OnnxGraph;
  readonly weights: GraphWeights;
  /** The linear maps that the graph has so far, in order. */
  readonly linears: LinearWeight[];
  /** Activations that were quantised so far, by their float32 tensor. */
  readonly quantisedRows: Map<TensorName, { readonly codes: TensorName; readonly scales: TensorName }>;
  /** Activations that were filled up to an even number of rows so far, by the tensor that they come from. */
  readonly pairedRows: Map<TensorName, { readonly even: TensorName; readonly count: TensorName }>;
}

/** What every part of a decoder graph may use. N = B * S tokens are kept flat between the attentions. */
export interface GraphScope extends LinearScope {
  readonly config: DecoderConfig;
  /** What the checkpoint puts before its trunk's names, e.g. `model.`. */
  readonly root: string;
  readonly inputs: DecoderInputs;
  readonly operators: DeviceOperators;
  /** Shape vectors that are computed once a run and shared by all layers. */
  readonly shapes: AttentionShapes;
  /** Name of a layer's key or value tensor. */
  readonly cache: (kind: "prefix" | "suffix" | "new", layer: number, half: "k" | "v") => TensorName;
}

/** A linear map's weight as the checkpoint has it. */
export interface LinearWeight {
  /** Of the tensor. */
  readonly name: string;
  readonly outSize: number;
  readonly inSize: number;
  readonly layout: "out-in" | "in-out";
  /** It turns the last stream into logits. */
  readonly isHead: boolean;
}

/** The graph's inputs beside the cache. */
export interface DecoderInputs {
  /** `ids` [B, S] int64, or [N, D] float32 where the table is not in the graph */
  readonly tokens: { readonly ids: TensorName } | { readonly embeddings: TensorName };
  /** [B, S] int64 */
  readonly positionIds: TensorName;
  /** One for each entry of the config's `ropes`. */
  readonly ropes: readonly RopeTables[];
  /** [T] float32, with masks of kind `spans`: very negative in the suffix's unused capacity */
  readonly suffixMask: TensorName;
  /** [G * S, S] float32, with masks of kind `spans`: very negative where a new token may not look */
  readonly newMask: TensorName;
  /** [G * S, X + T + S] float32, by the kind of mask */
  readonly wholeMask: (kind: Exclude<MaskKind, "spans">) => TensorName;
}

/** Both [R, pairs] float32. */
export interface RopeTables {
  readonly cos: TensorName;
  readonly sin: TensorName;
}

/** @see addAttention for what each letter counts */
export interface AttentionShapes {
  /** [B, S, H * headSize] */
  readonly queries: TensorName;
  /** [B, S, kvHeads * headSize] */
  readonly keys: TensorName;
  /** [B, S, kvHeads, G, headSize] */
  readonly queryGroups: TensorName;
  /** [B, S, kvHeads, headSize] */
  readonly keyHeads: TensorName;
  /** [kvHeads, B, G * S, headSize] */
  readonly grouped: TensorName;
  /** [kvHeads, B, G * S, X] */
  readonly prefixScores: TensorName;
  /** [kvHeads, 1, B * G * S, X] */
  readonly foldedPrefixScores: TensorName;
  /** [X, T, S] */
  readonly spans: TensorName;
}
