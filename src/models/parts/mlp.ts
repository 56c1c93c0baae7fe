import type { TensorName } from "../../onnx/graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addLinear } from "./linear.ts";

/**
 * Gated feed-forward network: down(silu(gate(x)) * up(x)).
 * @param x [N, D]
 * @param prefix e.g. `model.layers.0.mlp`
 * @returns [N, D]
 * @see Shazeer 2020, "GLU variants improve transformer" (SwiGLU)
 */
export function addGatedMlp(scope: GraphScope, x: TensorName, prefix: string): TensorName {
  const { hiddenSize, intermediateSize } = scope.config;
  const gate = addLinear(scope, x, `${prefix}.gate_proj.weight`, intermediateSize, hiddenSize);
  const up = addLinear(scope, x, `${prefix}.up_proj.weight`, intermediateSize, hiddenSize);
  // QuickGelu is x * sigmoid(alpha * x): with alpha 1 that is SiLU in one pass
  const activated = scope.graph.add("QuickGelu", [gate], { alpha: { float: 1 } });
  const gated = scope.graph.add("Mul", [activated, up]);
  return addLinear(scope, gated, `${prefix}.down_proj.weight`, hiddenSize, intermediateSize);
}
