import type { TensorName } from "../../graph/graph.ts";
import type { EncoderScope, Queries } from "../encoder-scope.ts";
import { addDistanceScores } from "./distance-scores.ts";

export interface EncoderProjections {
  /** [N, D], or [B, D] for the first tokens only */
  readonly q: TensorName;
  /** [N, D] */
  readonly k: TensorName;
  /** [N, D] */
  readonly v: TensorName;
}

/**
 * Attention of every token, or of each text's first one, to all tokens of its text. Heads come first in every layout,
 * so that folding all texts' queries into one product with the distances' embeddings is a reshape and no copy.
 * @param attention prefix of the attention's weights
 * @returns [N, D], or [B, D]
 */
export function addEncoderAttention(
  scope: EncoderScope,
  attention: string,
  { q, k, v }: EncoderProjections,
  queries: Queries,
): TensorName {
  const { graph, config, keyMask } = scope;
  const [byQuery, byKey] = [addHeads(scope, q, queries), addHeads(scope, k, "all")];
  const terms = [
    graph.add("FusedMatMul", [byQuery, byKey], { alpha: { float: config.attentionScale }, transB: 1 }),
    ...addDistanceScores(scope, attention, { queries: byQuery, keys: byKey }, queries),
    keyMask,
  ];
  const scores = terms.reduce((sum, term) => graph.add("Add", [sum, term]));
  const weights = graph.add("Softmax", [scores], { axis: -1 });
  const mixed = graph.add("MatMul", [weights, addHeads(scope, v, "all")]);
  const byToken = graph.add("Transpose", [mixed], { perm: [1, 2, 0, 3] });
  return graph.add("Reshape", [byToken, graph.integers([-1, config.headCount * config.headSize])]);
}

/** [N or B, D] -> [H, B, S or 1, headSize] */
function addHeads({ graph, config, shape }: EncoderScope, x: TensorName, queries: Queries): TensorName {
  const sizes = graph.integers([config.headCount, config.headSize]);
  const rows = graph.add("Slice", [shape, graph.integers([0]), graph.integers([1])]);
  const batch = queries === "all" ? shape : graph.add("Concat", [rows, graph.integers([1])], { axis: 0 });
  const heads = graph.add("Reshape", [x, graph.add("Concat", [batch, sizes], { axis: 0 })]);
  return graph.add("Transpose", [heads], { perm: [2, 0, 1, 3] });
}
