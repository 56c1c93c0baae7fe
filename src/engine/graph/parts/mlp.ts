import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addActivation } from "./activation.ts";
import { addLinear, type LinearLayout } from "./linear.ts";

/**
 * Feed-forward network without a gate: down(activation(up(x))).
 * @param x [N, D]
 * @param names of the two weights
 * @returns [N, D]
 */
export function addMlp(
  scope: GraphScope,
  x: TensorName,
  { up, down, ...layout }: { readonly up: string; readonly down: string } & LinearLayout,
): TensorName {
  const { hiddenSize, intermediateSize, activation, biases } = scope.config;
  const options = { ...layout, bias: biases.mlp };
  const raised = addLinear(scope, x, up, intermediateSize, hiddenSize, options);
  const activated = addActivation(scope.graph, activation, raised);
  return addLinear(scope, activated, down, hiddenSize, intermediateSize, options);
}
