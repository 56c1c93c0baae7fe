import type { TensorName } from "../../../onnx/graph.ts";
import type { GraphScope } from "../graph-scope.ts";

/** The config's nonlinearity, element by element. */
export function addActivation({ graph, config }: GraphScope, x: TensorName): TensorName {
  switch (config.activation) {
    case "silu":
      // QuickGelu is x * sigmoid(alpha * x): with alpha 1 that is SiLU in one pass
      return graph.add("QuickGelu", [x], { alpha: { float: 1 } });
    case "gelu":
      return graph.add("Gelu", [x], { approximate: "none" });
    case "gelu-tanh":
      return graph.add("Gelu", [x], { approximate: "tanh" });
    case "relu":
      return graph.add("Relu", [x]);
  }
}
