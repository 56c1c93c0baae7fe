import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addActivation } from "./activation.ts";
import { addLinear } from "./linear.ts";

/**
 * Gated feed-forward network: down(activation(gate(x)) * up(x)).
 * @param x [N, D]
 * @param prefix e.g. `model.layers.0.mlp`
 * @returns [N, D]
 * @see Shazeer 2020, "GLU variants improve transformer" (SwiGLU, GeGLU)
 */
export function addGatedMlp(scope: GraphScope, x: TensorName, prefix: string): TensorName {
  const { hiddenSize, intermediateSize, biases } = scope.config;
  const project = (name: string): TensorName =>
    addLinear(scope, x, `${prefix}.${name}`, intermediateSize, hiddenSize, { bias: biases.mlp });
  return addGatedDown(scope, project("gate_proj"), project("up_proj"), prefix);
}

/** As {@link addGatedMlp}, with gate and up stored as one weight, the gate's rows first (Phi-3). */
export function addFusedGatedMlp(scope: GraphScope, x: TensorName, prefix: string): TensorName {
  const { graph, config } = scope;
  const { hiddenSize, intermediateSize, biases } = config;
  const both = addLinear(scope, x, `${prefix}.gate_up_proj`, 2 * intermediateSize, hiddenSize, {
    bias: biases.mlp,
  });
  const [gate, up] = [graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [both], [gate, up], { axis: -1, num_outputs: 2 });
  return addGatedDown(scope, gate, up, prefix);
}

function addGatedDown(scope: GraphScope, gate: TensorName, up: TensorName, prefix: string): TensorName {
  const { graph, config } = scope;
  const { hiddenSize, intermediateSize, activation, biases } = config;
  const gated = graph.add("Mul", [addActivation(graph, activation, gate), up]);
  return addLinear(scope, gated, `${prefix}.down_proj`, hiddenSize, intermediateSize, { bias: biases.mlp });
}
