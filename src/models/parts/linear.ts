import type { TensorName } from "../../onnx/graph.ts";
import type { GraphScope } from "../graph-scope.ts";

/**
 * x W^T (+ b), with W in the checkpoint's [out, in] layout.
 * @param x [N, inSize]
 * @param weight name of `[outSize, inSize]` in the checkpoint; a `.bias` beside a `.weight` is added when present
 * @returns [N, outSize]
 */
export function addLinear(
  { graph, weights }: GraphScope,
  x: TensorName,
  weight: string,
  outSize: number,
  inSize: number,
): TensorName {
  const operands = [x, weights.float32(weight, [outSize, inSize])];
  const bias = weight.replace(/\.weight$/, ".bias");
  if (weights.has(bias)) operands.push(weights.float32(bias, [outSize]));
  return graph.add("Gemm", operands, { transB: 1 });
}
