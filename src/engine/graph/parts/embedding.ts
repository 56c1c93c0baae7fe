import type { TensorNames } from "../architectures/architecture.ts";
import { ONNX_TYPES, type TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";

/**
 * The stream as the first block receives it: token embeddings, scaled where the config says so, plus learned positions
 * where the architecture has them.
 * @returns [N, D]
 */
export function addEmbedding(scope: GraphScope, { embedding, positions }: TensorNames): TensorName {
  const { graph, config, inputs, root } = scope;
  const { tokens } = inputs;
  const rows =
    "embeddings" in tokens
      ? tokens.embeddings
      : addLookUp(scope, `${root}${embedding}.weight`, config.vocabularySize, tokens.ids);
  const base =
    config.embeddingScale === 1 ? rows : graph.add("Mul", [rows, graph.scalar(config.embeddingScale)]);
  if (positions === null) return base;
  const table = `${root}${positions}.weight`;
  return graph.add("Add", [base, addLookUp(scope, table, config.maxPositions, inputs.positionIds)]);
}

/** Reads the table as it is stored where the device can, so that a half-precision one is not widened whole. @returns [N, D] */
function addLookUp(
  { graph, weights, config, operators }: GraphScope,
  name: string,
  rowCount: number,
  ids: TensorName,
): TensorName {
  const flat = graph.add("Reshape", [ids, graph.integers([-1])]);
  const shape = [rowCount, config.hiddenSize];
  if (!operators.halfLookUp) return graph.add("Gather", [weights.float32(name, shape), flat], { axis: 0 });
  const { tensor, type } = weights.stored(name, shape);
  const rows = graph.add("Gather", [tensor, flat], { axis: 0 });
  return type === "float32" ? rows : graph.add("Cast", [rows], { to: ONNX_TYPES.float32 });
}
