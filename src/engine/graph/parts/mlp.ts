import type { Activation } from "../decoder-config.ts";
import type { OnnxGraph, TensorName } from "../graph.ts";
import type { GraphScope, ScaledRows } from "../graph-scope.ts";
import { addLinear, addScaledLinear, type LinearLayout, scaleRows, unscaled } from "./linear.ts";

/**
 * Gated feed-forward network: down(activation(gate(x)) * up(x)).
 * @param x [N, D]
 * @param prefix e.g. `model.layers.0.mlp`
 * @returns [N, D]
 * @see Shazeer 2020, "GLU variants improve transformer" (SwiGLU, GeGLU)
 */
export function addGatedMlp(scope: GraphScope, x: TensorName, prefix: string): TensorName {
  const { hiddenSize, intermediateSize, biases } = scope.config;
  const sizes = [intermediateSize, hiddenSize] as const;
  const options = { bias: biases.mlp };
  const gate = addLinear(scope, x, `${prefix}.gate_proj`, sizes, options);
  const up = addScaledLinear(scope, unscaled(x), `${prefix}.up_proj`, sizes, options);
  return addGatedDown(scope, gate, up, prefix);
}

/** As {@link addGatedMlp}, with gate and up stored as one weight, the gate's rows first (Phi-3). */
export function addFusedGatedMlp(scope: GraphScope, x: TensorName, prefix: string): TensorName {
  const { graph, config } = scope;
  const { hiddenSize, intermediateSize, biases } = config;
  const both = addLinear(scope, x, `${prefix}.gate_up_proj`, [2 * intermediateSize, hiddenSize], {
    bias: biases.mlp,
  });
  const [gate, up] = [graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [both], [gate, up], { axis: -1, num_outputs: 2 });
  return addGatedDown(scope, gate, unscaled(up), prefix);
}

/** The scale of each row of `up` goes past the product to what comes of it, [N, 1] instead of [N, intermediateSize]. */
function addGatedDown(scope: GraphScope, gate: TensorName, up: ScaledRows, prefix: string): TensorName {
  const { graph, config } = scope;
  const { hiddenSize, intermediateSize, activation, biases } = config;
  const gated = { ...up, rows: graph.add("Mul", [addActivation(graph, activation, gate), up.rows]) };
  const options = { bias: biases.mlp, isDown: true };
  const sizes = [hiddenSize, intermediateSize] as const;
  return scaleRows(graph, addScaledLinear(scope, gated, `${prefix}.down_proj`, sizes, options));
}

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
  const raised = addLinear(scope, x, up, [intermediateSize, hiddenSize], options);
  const activated = addActivation(scope.graph, activation, raised);
  return addLinear(scope, activated, down, [hiddenSize, intermediateSize], {
    ...options,
    isDown: true,
  });
}

/** A nonlinearity, element by element. */
export function addActivation(graph: OnnxGraph, activation: Activation, x: TensorName): TensorName {
  switch (activation) {
    case "silu":
      // QuickGelu is x * sigmoid(alpha * x): with alpha 1 that is SiLU in one pass
      return graph.add("QuickGelu", [x], { alpha: { float: 1 } });
    case "gelu":
      return graph.add("Gelu", [x], { approximate: "none" });
    case "gelu-tanh":
      return graph.add("Gelu", [x], { approximate: "tanh" });
    case "relu":
      return graph.add("Relu", [x]);
    case "tanh":
      return graph.add("Tanh", [x]);
  }
}
