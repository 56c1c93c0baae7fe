import type { TensorData, TensorSpec } from "../../formats/tensor-bytes.ts";
import type { DeviceOperators } from "../runtime/device.ts";
import type { MaskKind, SharedSpan } from "./attention-masks.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { OnnxGraph, OnnxType, TensorName } from "./graph.ts";
import type { ByteSource, StoredWeight, WeightIndex } from "./weights.ts";

/** What every part of a decoder graph may use. N = B * S tokens are kept flat between the attentions. */
export interface GraphScope extends LinearScope {
  readonly config: DecoderConfig;
  /** What the checkpoint puts before its backbone's names, e.g. `model.`. */
  readonly root: string;
  readonly inputs: DecoderInputs;
  readonly operators: DeviceOperators;
  /** Computed once per run and shared by all layers. */
  readonly shapes: AttentionShapes;
  /** Name of a layer's key or value tensor. */
  readonly cache: (kind: SharedSpan | "suffix" | "new", layer: number, half: "k" | "v") => TensorName;
}

/** The graph's inputs beside the cache. */
export interface DecoderInputs {
  /** `ids` [B, S] int64, or [N, D] float32 where the table is not in the graph */
  readonly tokens: { readonly ids: TensorName } | { readonly embeddings: TensorName };
  /** [B, S] int64 */
  readonly positionIds: TensorName;
  /** One for each entry of the config's `ropes`. */
  readonly ropes: readonly RopeTables[];
  /** [groups, kvHeads, R] int64: which of the B * kvHeads bundles of queries is in each slot of a group of rows */
  readonly slots: Readonly<Record<SharedSpan, TensorName>>;
  /** [B, kvHeads] int64: in which of the groups * kvHeads * R slots each bundle is */
  readonly slotOfRow: Readonly<Record<SharedSpan, TensorName>>;
  /** [1] int64: positions between prefix and new tokens that hold none */
  readonly gap: TensorName;
  /** [B, 1, 1, S, C + X + gap + S + T + P] float32: very negative where a new token may not look, in unused capacity and in padding */
  readonly mask: (kind: MaskKind) => TensorName;
}

/** Both [R, pairs] float32. */
export interface RopeTables {
  readonly cos: TensorName;
  readonly sin: TensorName;
}

/** @see addAttention for what each letter counts. A bundle is what one row has under one key head. */
export interface AttentionShapes {
  /** [B, S, H * headSize] */
  readonly queries: TensorName;
  /** [B, S, kvHeads * headSize] */
  readonly keys: TensorName;
  /** [B, S, kvHeads, G, headSize] */
  readonly queryGroups: TensorName;
  /** [B, S, kvHeads, headSize] */
  readonly keyHeads: TensorName;
  /** [B, kvHeads, G, S, headSize] */
  readonly grouped: TensorName;
  /** [B, kvHeads, G * S, headSize] */
  readonly headQueries: TensorName;
  /** [B, kvHeads, G * S, S] */
  readonly headScores: TensorName;
  /** [B, kvHeads, G, S, S] */
  readonly newScores: TensorName;
  /** [B * kvHeads, G * S * headSize] */
  readonly queryBundles: TensorName;
  readonly shared: Readonly<Record<SharedSpan, SharedShapes>>;
  /** [C, X, gap, S, T, P] */
  readonly spans: TensorName;
  /** Zeros: `gap` [B, kvHeads, G, S, gap], `padding` [B, kvHeads, G, S, P]. */
  readonly filling: Readonly<Record<"gap" | "padding", TensorName>>;
}

/** For a span of X tokens that the rows of a group share. */
export interface SharedShapes {
  /** [B, kvHeads, G, S, X] */
  readonly scores: TensorName;
  /** [B * kvHeads, G * S * X] */
  readonly scoreBundles: TensorName;
  /** [groups, kvHeads, R * G * S, headSize] */
  readonly slotQueries: TensorName;
  /** [groups, kvHeads, R * G * S, X] */
  readonly slotScores: TensorName;
  /** [groups * kvHeads * R, G * S * headSize] */
  readonly slotQueryBundles: TensorName;
  /** [groups * kvHeads * R, G * S * X] */
  readonly slotScoreBundles: TensorName;
}

/** What a linear layer needs of the graph that it is added to. */
export interface LinearScope {
  readonly graph: OnnxGraph;
  readonly weights: GraphWeights;
  /** The linear layers that the graph has so far, in order. */
  readonly linears: LinearWeight[];
  /** Activations that were quantised so far, by their float32 tensor. */
  readonly quantisedRows: Map<TensorName, QuantisedRows>;
  /** Matrices that rotate activations, by their size. */
  readonly rotations: Map<number, TensorName>;
  /** Activations that were padded to an even number of rows so far, by the tensor that they come from. */
  readonly pairedRows: Map<TensorName, PairedRows>;
}

export interface QuantisedRows {
  /** [N, inSize] */
  readonly codes: TensorName;
  /** [N, 1] */
  readonly scales: TensorName;
}

export interface PairedRows {
  /** [N or N + 1, inSize] */
  readonly even: TensorName;
  /** [N or N + 1, blocks] sums of `even` over blocks of inputs */
  readonly sums: TensorName;
  /** [1] N */
  readonly count: TensorName;
}

/** A linear layer's weight as the checkpoint has it. */
export interface LinearWeight {
  /** Of the tensor. */
  readonly name: string;
  readonly outSize: number;
  readonly inSize: number;
  readonly layout: "out-in" | "in-out";
  /** It turns the last stream into logits. */
  readonly isHead: boolean;
  /** Its inputs are those of a feed-forward network's second half: what the nonlinearity gave. */
  readonly isDown: boolean;
}

/** The checkpoint's tensors as constants of a graph; their bytes stay in their sources. */
export interface GraphWeights {
  /** What the constants that the graph has by now lie in. */
  sources(): readonly ByteSource[];
  has(name: string): boolean;
  /** Whether the graph reads this tensor by now. */
  used(name: string): boolean;
  /** A weight as float32. Half-precision ones are widened when the model is loaded. */
  float32(name: string, shape: readonly number[]): TensorName;
  /** A linear layer's quantised weight; null if the model is computed in float32. */
  quantised(weight: LinearWeight): QuantisedWeight | null;
  /**
   * Where a weight is stored, for those who read it themselves; it counts as used.
   * @throws SepError as `createGraphWeights`
   */
  locate(name: string, shape: readonly number[]): StoredWeight;
  /** A weight as it is stored, for operators that read few of its rows. */
  stored(name: string, shape: readonly number[]): { readonly tensor: TensorName; readonly type: OnnxType };
}

/** A quantised weight as constants of a graph. */
export interface QuantisedWeight {
  readonly format: LinearFormat;
  readonly parts: readonly TensorName[];
}

/** The quantised weights of all linear layers. */
export interface QuantisedWeights {
  readonly quantisation: Quantisation;
  readonly index: WeightIndex;
}

/** How a model's linear layers are quantised. */
export interface Quantisation {
  /** Names the cache of weights in this form: a change in how they are made needs a new name. */
  readonly kind: string;
  formatOf(weight: LinearWeight): LinearFormat;
}

/** A way to quantise the weight of a linear layer, and to compute with it. */
export interface LinearFormat {
  /** Tensors that the weight becomes. */
  tensors(weight: LinearWeight): readonly TensorSpec[];
  /**
   * @param values the weight as the checkpoint has it, by its `layout`
   * @returns the values of each of {@link tensors}, in the same order
   */
  quantise(values: Float32Array, weight: LinearWeight): readonly TensorData[];
  /**
   * Adds x W^T to the graph.
   * @param x [N, inSize]
   * @param parts one for each of {@link tensors}
   */
  add(scope: LinearScope, x: ScaledRows, weight: LinearWeight, parts: readonly TensorName[]): ScaledRows;
}

/** Rows of numbers that count once each row is multiplied by its scale. */
export interface ScaledRows {
  /** [N, width] float32 */
  readonly rows: TensorName;
  /** [N, 1] float32; null where the rows are what they should be */
  readonly scales: TensorName | null;
}
