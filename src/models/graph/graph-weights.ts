import { basename } from "node:path";
import { SepError } from "../../errors.ts";
import type { OnnxGraph, OnnxType, TensorName } from "../../onnx/graph.ts";
import { int8Codes, int8Scales } from "../checkpoint/int8-weights.ts";
import type { StoredWeight, WeightIndex } from "../checkpoint/weight-index.ts";
import type { Int8Weight } from "./parts/int8-linear.ts";

const GRAPH_TYPES: Readonly<Record<string, OnnxType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** The checkpoint's tensors as constants of a graph; their bytes stay in the weight files. */
export interface GraphWeights {
  has(name: string): boolean;
  /** Whether the graph reads this tensor by now. */
  used(name: string): boolean;
  /** A weight as float32. Half-precision ones are widened when the model is loaded. */
  float32(name: string, shape: readonly number[]): TensorName;
  /** A linear map's weight in int8; null where the model is not loaded in int8. */
  int8(name: string, outSize: number, inSize: number): Int8Weight | null;
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
  int8Index: WeightIndex | null = null,
): GraphWeights {
  const stored = new Map<string, { tensor: TensorName; type: OnnxType }>();
  const widened = new Map<string, TensorName>();
  const quantised = new Map<string, Int8Weight>();
  const weights: GraphWeights = {
    has: (name) => index.has(name),
    used: (name) => stored.has(name) || quantised.has(name),
    int8(name, outSize, inSize) {
      if (int8Index === null) return null;
      const known = quantised.get(name);
      if (known !== undefined) return known;
      const place = (tensor: string, type: OnnxType, shape: readonly number[]): TensorName => {
        const { file, byteOffset, byteLength } = int8Index.get(tensor) as StoredWeight;
        return graph.external(tensor, type, shape, { file: basename(file), byteOffset, byteLength });
      };
      const weight = {
        codes: place(int8Codes(name), "int8", [inSize, outSize]),
        scales: place(int8Scales(name), "float32", [outSize]),
      };
      quantised.set(name, weight);
      return weight;
    },
    stored(name, shape) {
      const known = stored.get(name);
      if (known !== undefined) return known;
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
      const type = GRAPH_TYPES[weight.dtype];
      if (type === undefined) {
        throw new SepError(
          "unsupported-model",
          `Tensor "${name}" is ${weight.dtype}; F32, F16 and BF16 are implemented.`,
        );
      }
      const { file, byteOffset, byteLength } = weight;
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
