import type { Activation } from "../decoder-config.ts";
import type { OnnxGraph, TensorName } from "../graph.ts";

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
