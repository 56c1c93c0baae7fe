import { basename } from "node:path";
import type { StoredWeight, WeightIndex } from "../../checkpoint/weight-index.ts";
import { SepError } from "../../errors.ts";
import type { OnnxGraph, OnnxType, TensorName } from "./graph.ts";
import type { LinearWeight } from "./graph-scope.ts";
import type { LinearFormat } from "./linear-format.ts";
import type { Quantisation } from "./quantisation.ts";

const GRAPH_TYPES: Readonly<Record<string, OnnxType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** Types that weights in fewer bits are made of. */
const CODE_TYPES: Readonly<Record<string, OnnxType>> = { F32: "float32", I8: "int8", U8: "uint8" };

/** All linear maps' weights in fewer bits. */
export interface QuantisedWeights {
  readonly quantisation: Quantisation;
  readonly index: WeightIndex;
}

/** One of them as constants of a graph. */
export interface QuantisedWeight {
  readonly format: LinearFormat;
  readonly parts: readonly TensorName[];
}

/** The checkpoint's tensors as constants of a graph; their bytes stay in the weight files. */
export interface GraphWeights {
  has(name: string): boolean;
  /** Whether the graph reads this tensor by now. */
  used(name: string): boolean;
  /** A weight as float32. Half-precision ones are widened when the model is loaded. */
  float32(name: string, shape: readonly number[]): TensorName;
  /** A linear map's weight in fewer bits; null where the model is computed in float32. */
  quantised(weight: LinearWeight): QuantisedWeight | null;
  /**
   * Where a weight is stored, for those who read it themselves; it counts as used.
   * @throws SepError as {@link createGraphWeights} says
   */
  locate(name: string, shape: readonly number[]): StoredWeight;
  /** A weight as it is stored, for operators that read few of its rows. */
  stored(name: string, shape: readonly number[]): { readonly tensor: TensorName; readonly type: OnnxType };
}

/**
 * @throws SepError `bad-checkpoint` when a tensor is missing or has another shape than the config implies,
 *   `unsupported-model` for a dtype that is not a float
 */
export function createGraphWeights(
  graph: OnnxGraph,
  index: WeightIndex,
  quantised: QuantisedWeights | null = null,
): GraphWeights {
  const located = new Set<string>();
  const stored = new Map<string, { tensor: TensorName; type: OnnxType }>();
  const widened = new Map<string, TensorName>();
  const inFewerBits = new Map<string, QuantisedWeight>();
  const weights: GraphWeights = {
    has: (name) => index.has(name),
    used: (name) => located.has(name) || inFewerBits.has(name),
    quantised(weight) {
      if (quantised === null) return null;
      const known = inFewerBits.get(weight.name);
      if (known !== undefined) return known;
      const format = quantised.quantisation.formatOf(weight);
      const parts = format.tensors(weight).map(({ name, dtype, shape }) => {
        const { file, byteOffset, byteLength } = quantised.index.get(name) as StoredWeight;
        return graph.external(name, CODE_TYPES[dtype] as OnnxType, shape, {
          file: basename(file),
          byteOffset,
          byteLength,
        });
      });
      inFewerBits.set(weight.name, { format, parts });
      return { format, parts };
    },
    locate(name, shape) {
      const weight = index.get(name);
      if (weight === undefined) {
        throw new SepError(
          "bad-checkpoint",
          `The checkpoint has no tensor "${name}", which its config implies.`,
        );
      }
      if (weight.shape.join() !== shape.join()) {
        throw new SepError(
          "bad-checkpoint",
          `Tensor "${name}" is [${weight.shape.join(", ")}], and the config implies [${shape.join(", ")}].`,
        );
      }
      if (GRAPH_TYPES[weight.dtype] === undefined) {
        throw new SepError(
          "unsupported-model",
          `Tensor "${name}" is ${weight.dtype}; F32, F16 and BF16 are implemented.`,
        );
      }
      located.add(name);
      return weight;
    },
    stored(name, shape) {
      const known = stored.get(name);
      if (known !== undefined) return known;
      const { file, dtype, byteOffset, byteLength } = weights.locate(name, shape);
      const type = GRAPH_TYPES[dtype] as OnnxType;
      const tensor = graph.external(name, type, shape, { file: basename(file), byteOffset, byteLength });
      stored.set(name, { tensor, type });
      return { tensor, type };
    },
    float32(name, shape) {
      const known = widened.get(name);
      if (known !== undefined) return known;
      const { tensor, type } = weights.stored(name, shape);
      const wide = type === "float32" ? tensor : graph.add("Cast", [tensor], { to: 1 });
      widened.set(name, wide);
      return wide;
    },
  };
  return weights;
}
