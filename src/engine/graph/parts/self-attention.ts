import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addAttention } from "./attention.ts";
import { addLinear, type LinearLayout } from "./linear.ts";
import type { Projections } from "./projections.ts";
import { addRotary } from "./rotary.ts";

/**
 * Rotation, attention and output projection of one block.
 * @param output name of the output projection's weight
 * @returns [N, D]
 */
export function addSelfAttention(
  scope: GraphScope,
  layer: number,
  { q, k, v }: Projections,
  output: string,
  layout: LinearLayout = {},
): TensorName {
  const { hiddenSize, headCount, headSize, biases } = scope.config;
  const mixed = addAttention(scope, layer, {
    q: addRotary(scope, layer, q, "queries"),
    k: addRotary(scope, layer, k, "keys"),
    v,
  });
  const options = { ...layout, bias: biases.attentionOutput };
  return addLinear(scope, mixed, output, hiddenSize, headCount * headSize, options);
}
