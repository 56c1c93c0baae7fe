import type { TensorName } from "../graph/graph.ts";
import { addLinear } from "../graph/parts/linear.ts";
import { addActivation } from "../graph/parts/mlp.ts";
import { addNorm } from "../graph/parts/residual-block.ts";
import { addDistanceScores } from "./distances.ts";
import type { EncoderScope, Queries } from "./encoder-architecture.ts";

/**
 * One block: attention, then the feed-forward network, each added to its input and normed.
 * @param x       [N, D]
 * @param queries `first` computes each text's first token only, which sees all the same; for a last block of which
 *   nothing else is read
 * @returns [N, D], or [B, D]
 */
export function addEncoderBlock(
  scope: EncoderScope,
  layer: number,
  x: TensorName,
  queries: Queries,
): TensorName {
  const { graph, config, root, projections } = scope;
  const { hiddenSize, intermediateSize } = config;
  const block = `${root}encoder.layer.${layer}`;
  const attention = `${block}.attention.self`;
  const asked = queries === "all" ? x : addFirstTokens(scope, x);
  const project = (input: TensorName, name: string): TensorName =>
    addLinear(scope, input, `${attention}.${name}`, [hiddenSize, hiddenSize], { bias: true });
  const attended = addEncoderAttention(
    scope,
    attention,
    {
      q: project(asked, projections.query),
      k: project(x, projections.key),
      v: project(x, projections.value),
    },
    queries,
  );
  const mixed = addLinear(scope, attended, `${block}.attention.output.dense`, [hiddenSize, hiddenSize], {
    bias: true,
  });
  const middle = addNorm(
    scope,
    graph.add("Add", [asked, mixed]),
    `${block}.attention.output.LayerNorm`,
    hiddenSize,
  );
  const raised = addLinear(scope, middle, `${block}.intermediate.dense`, [intermediateSize, hiddenSize], {
    bias: true,
  });
  const activated = addActivation(graph, config.activation, raised);
  const lowered = addLinear(scope, activated, `${block}.output.dense`, [hiddenSize, intermediateSize], {
    bias: true,
  });
  return addNorm(scope, graph.add("Add", [middle, lowered]), `${block}.output.LayerNorm`, hiddenSize);
}

/** [N, D] -> [B, D] */
export function addFirstTokens({ graph, config, shape }: EncoderScope, x: TensorName): TensorName {
  const sizes = graph.add("Concat", [shape, graph.integers([config.hiddenSize])], { axis: 0 });
  const sequences = graph.add("Reshape", [x, sizes]);
  const first = graph.add("Slice", [
    sequences,
    graph.integers([0]),
    graph.integers([1]),
    graph.integers([1]),
  ]);
  return graph.add("Reshape", [first, graph.integers([-1, config.hiddenSize])]);
}

interface EncoderProjections {
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
function addEncoderAttention(
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
