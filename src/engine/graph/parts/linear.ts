import type { TensorName } from "../graph.ts";
import type { LinearScope } from "../graph-scope.ts";

/** How a weight lies in the checkpoint: `out-in` as PyTorch's Linear has it, `in-out` as GPT-2's Conv1D. */
export interface LinearLayout {
  readonly layout?: "out-in" | "in-out";
}

interface LinearOptions extends LinearLayout {
  readonly bias?: boolean;
  readonly isHead?: boolean;
  /** In float32 also where the model is loaded in fewer bits: for maps that are small. */
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
  { layout = "out-in", bias = false, isHead = false, exact = false }: LinearOptions = {},
): TensorName {
  const { graph, weights } = scope;
  const weight = { name: `${name}.weight`, outSize, inSize, layout, isHead };
  if (!exact) scope.linears.push(weight);
  const quantised = exact ? null : weights.quantised(weight);
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
