import type { TensorName } from "../../../onnx/graph.ts";
import type { GraphScope } from "../graph-scope.ts";

/** How a weight lies in the checkpoint: `out-in` as PyTorch's Linear has it, `in-out` as GPT-2's Conv1D. */
export interface LinearLayout {
  readonly layout?: "out-in" | "in-out";
}

/**
 * x W^T (+ b).
 * @param x [N, inSize]
 * @param name of the weight without `.weight`; a bias is `.bias` beside it
 * @returns [N, outSize]
 */
export function addLinear(
  scope: GraphScope,
  x: TensorName,
  name: string,
  outSize: number,
  inSize: number,
  {
    layout = "out-in",
    bias = false,
    isHead = false,
  }: LinearLayout & { readonly bias?: boolean; readonly isHead?: boolean } = {},
): TensorName {
  const { graph, weights } = scope;
  const weight = { name: `${name}.weight`, outSize, inSize, layout, isHead };
  scope.linears.push(weight);
  const quantised = weights.quantised(weight);
  if (quantised !== null) {
    const product = quantised.format.add(scope, x, weight, quantised.parts);
    return bias ? graph.add("Add", [product, weights.float32(`${name}.bias`, [outSize])]) : product;
  }
  const transposed = layout === "out-in";
  const shape = transposed ? [outSize, inSize] : [inSize, outSize];
  const operands = [x, weights.float32(weight.name, shape)];
  if (bias) operands.push(weights.float32(`${name}.bias`, [outSize]));
  return graph.add("Gemm", operands, transposed ? { transB: 1 } : {});
}
