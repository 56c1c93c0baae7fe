import type { TensorName } from "../../../onnx/graph.ts";
import type { LinearScope } from "../graph-scope.ts";
import { addInt8Linear } from "./int8-linear.ts";

/** How a weight lies in the checkpoint: `out-in` as PyTorch's Linear has it, `in-out` as GPT-2's Conv1D. */
export interface LinearLayout {
  readonly layout?: "out-in" | "in-out";
}

interface LinearOptions extends LinearLayout {
  readonly bias?: boolean;
  /** In float32 also where the model is loaded in int8: for maps that are small, or computed once. */
  readonly exact?: boolean;
}

/**
 * x W^T (+ b).
 * @param x [N, inSize]
 * @param name of the weight without `.weight`; a bias is `.bias` beside it
 * @returns [N, outSize]
 */
export function addLinear(
  scope: LinearScope,
  x: TensorName,
  name: string,
  outSize: number,
  inSize: number,
  { layout = "out-in", bias = false, exact = false }: LinearOptions = {},
): TensorName {
  const { graph, weights } = scope;
  if (!exact) scope.linears.push({ name: `${name}.weight`, outSize, inSize, layout });
  const int8 = exact ? null : weights.int8(`${name}.weight`, outSize, inSize);
  if (int8 !== null) {
    const product = addInt8Linear(scope, x, int8);
    return bias ? graph.add("Add", [product, weights.float32(`${name}.bias`, [outSize])]) : product;
  }
  const transposed = layout === "out-in";
  const shape = transposed ? [outSize, inSize] : [inSize, outSize];
  const operands = [x, weights.float32(`${name}.weight`, shape)];
  if (bias) operands.push(weights.float32(`${name}.bias`, [outSize]));
  return graph.add("Gemm", operands, transposed ? { transB: 1 } : {});
}
