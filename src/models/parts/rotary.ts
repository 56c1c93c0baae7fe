import type { TensorName } from "../../onnx/graph.ts";
import type { GraphScope } from "../graph-scope.ts";

/**
 * Rotary position embedding over whole heads, first half against second half (Hugging Face's layout).
 * @param x any shape that holds B * S * heads * headSize numbers in token order
 * @returns [B, S, heads * headSize]
 * @see Su et al. 2021, eq. 34
 */
export function addRotary(scope: GraphScope, x: TensorName, kind: "queries" | "keys"): TensorName {
  const { graph, inputs, shapes, config } = scope;
  const heads = kind === "queries" ? config.headCount : config.kvHeadCount;
  const sequences = graph.add("Reshape", [x, shapes[kind]]);
  return graph.add("RotaryEmbedding", [sequences, inputs.positionIds, inputs.ropeCos, inputs.ropeSin], {
    num_heads: heads,
  });
}
