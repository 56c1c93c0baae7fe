import type { TensorData } from "../../formats/tensor-bytes.ts";
import type { TensorSpec } from "../../store/safetensors.ts";
import type { TensorName } from "./graph.ts";
import type { LinearScope, LinearWeight } from "./graph-scope.ts";

/** A way to keep the weight of a linear map in fewer bits, and to compute with it. */
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
   * @param x [N, inSize] float32
   * @param parts one for each of {@link tensors}
   * @returns [N, outSize] float32
   */
  add(scope: LinearScope, x: TensorName, weight: LinearWeight, parts: readonly TensorName[]): TensorName;
}
