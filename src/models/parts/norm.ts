import type { TensorName } from "../../onnx/graph.ts";
import type { GraphScope, ResidualStream } from "../graph-scope.ts";

/**
 * RMS norm of the residual stream, after adding what is pending.
 * @returns `normed` [N, D], and the resolved `residual` [N, D], which is what a trace reads
 * @see Zhang and Sennrich 2019
 */
export function addResidualNorm(
  { graph, weights, config }: GraphScope,
  { base, pending }: ResidualStream,
  weight: string,
): { readonly normed: TensorName; readonly residual: TensorName } {
  const gamma = weights.float32(weight, [config.hiddenSize]);
  const epsilon = { float: config.normEpsilon };
  if (pending === null) {
    const normed = graph.add("SimplifiedLayerNormalization", [base, gamma], {
      epsilon,
      axis: -1,
      stash_type: 1,
    });
    return { normed, residual: base };
  }
  const normed = graph.fresh();
  const residual = graph.fresh();
  graph.addNamed("SkipSimplifiedLayerNormalization", [base, pending, gamma], [normed, "", "", residual], {
    epsilon,
  });
  return { normed, residual };
}

/**
 * RMS norm of each head on its own, as Qwen3 does to queries and keys before the rotation.
 * @param x [N, heads * headSize]
 * @returns [N * heads, headSize]
 */
export function addHeadNorm(
  { graph, weights, config }: GraphScope,
  x: TensorName,
  weight: string,
): TensorName {
  const gamma = weights.float32(weight, [config.headSize]);
  const heads = graph.add("Reshape", [x, graph.integers([-1, config.headSize])]);
  const epsilon = { float: config.normEpsilon };
  return graph.add("SimplifiedLayerNormalization", [heads, gamma], { epsilon, axis: -1, stash_type: 1 });
}
