import { ONNX_TYPES, type TensorName } from "../../graph/graph.ts";
import { addLinear } from "../../graph/parts/linear.ts";
import { addNorm } from "../../graph/parts/norm.ts";
import type { EncoderScope } from "../encoder-scope.ts";

/**
 * Words, positions and token types, whichever there are, added up and normed; 0 for padding, which the convolution
 * would see.
 * @returns [N, D]
 */
export function addEncoderEmbeddings(scope: EncoderScope): TensorName {
  const { graph, weights, config, root, shape } = scope;
  const { embeddingSize, hiddenSize, firstPosition } = config;
  const names = `${root}embeddings`;
  let sum = addLookUp(scope, `${names}.word_embeddings.weight`, config.vocabularySize, scope.tokenIds);
  if (scope.tokenTypeIds !== null) {
    const types = `${names}.token_type_embeddings.weight`;
    sum = graph.add("Add", [sum, addLookUp(scope, types, config.tokenTypes, scope.tokenTypeIds)]);
  }
  if (firstPosition !== null) {
    const rows = config.maxPositions + firstPosition;
    const table = weights.float32(`${names}.position_embeddings.weight`, [rows, embeddingSize]);
    const length = graph.add("Slice", [shape, graph.integers([1]), graph.integers([2])]);
    const first = graph.integers([firstPosition]);
    const positions = graph.add("Slice", [table, first, graph.add("Add", [first, length])]);
    sum = graph.add("Add", [sum, positions]);
  }
  let flat = graph.add("Reshape", [sum, graph.integers([-1, embeddingSize])]);
  if (embeddingSize !== hiddenSize)
    flat = addLinear(scope, flat, `${names}.embed_proj`, hiddenSize, embeddingSize);
  const normed = addNorm(scope, flat, `${names}.LayerNorm`, hiddenSize);
  if (config.convolution === null) return normed;
  const mask = graph.add("Reshape", [scope.tokenMask, graph.integers([-1, 1])]);
  return graph.add("Mul", [normed, mask]);
}

/** Reads the table as it is stored, so that a half-precision one is not widened whole. @returns [B, S, width] */
function addLookUp(
  { graph, weights, config }: EncoderScope,
  name: string,
  rowCount: number,
  ids: TensorName,
): TensorName {
  const { tensor, type } = weights.stored(name, [rowCount, config.embeddingSize]);
  const rows = graph.add("Gather", [tensor, ids], { axis: 0 });
  return type === "float32" ? rows : graph.add("Cast", [rows], { to: ONNX_TYPES.float32 });
}
