import type { OnnxGraph, TensorName } from "../../onnx/graph.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { AttentionShapes, GraphScope } from "../graph-scope.ts";

/**
 * Causal attention of S new tokens in each of B rows, over three spans whose scores share one softmax:
 * the **prefix** of X tokens that all rows have in common (kept once), each row's own **suffix** of T tokens,
 * and the **new** tokens themselves. Key/value heads come first in every layout, so that folding all rows'
 * queries into one product with the shared prefix is a reshape and no copy.
 * @param q [B, S, H * headSize], k [B, S, kvHeads * headSize], v any shape in token order
 * @returns [N, H * headSize]; writes the new keys and values [kvHeads, B, S, headSize] as graph outputs
 */
export function addAttention(
  scope: GraphScope,
  layer: number,
  { q, k, v }: { readonly q: TensorName; readonly k: TensorName; readonly v: TensorName },
): TensorName {
  const { graph, config, shapes, inputs, cache } = scope;
  const { kvHeadCount, headSize } = config;
  const group = config.headCount / kvHeadCount;
  const scale = { alpha: { float: 1 / Math.sqrt(headSize) }, transB: 1 };

  const split = graph.add("Reshape", [q, graph.integers([0, 0, kvHeadCount, group, headSize])]);
  const byHead = graph.add("Transpose", [split], { perm: [2, 0, 3, 1, 4] });
  const queries = graph.add("Reshape", [byHead, graph.integers([0, 0, -1, headSize])]);
  const newKeys = cache("new", layer, "k");
  const newValues = cache("new", layer, "v");
  const keyHeads = graph.add("Reshape", [k, graph.integers([0, 0, kvHeadCount, headSize])]);
  graph.addNamed("Transpose", [keyHeads], [newKeys], { perm: [2, 0, 1, 3] });
  const valueHeads = graph.add("Reshape", [v, shapes.values]);
  graph.addNamed("Transpose", [valueHeads], [newValues], { perm: [2, 0, 1, 3] });

  const folded = graph.add("Reshape", [queries, graph.integers([0, 1, -1, headSize])]);
  const foldedScores = graph.add("FusedMatMul", [folded, cache("prefix", layer, "k")], scale);
  const prefixScores = graph.add("Reshape", [foldedScores, shapes.prefixScores]);
  const suffixScores = graph.add("FusedMatMul", [queries, cache("suffix", layer, "k")], scale);
  const newScores = graph.add("FusedMatMul", [queries, newKeys], scale);
  const scores = graph.add(
    "Concat",
    [
      prefixScores,
      graph.add("Add", [suffixScores, inputs.suffixMask]),
      graph.add("Add", [newScores, inputs.newMask]),
    ],
    { axis: -1 },
  );
  const weights = graph.add("Softmax", [scores], { axis: -1 });
  const [onPrefix, onSuffix, onNew] = [graph.fresh(), graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [weights, shapes.spans], [onPrefix, onSuffix, onNew], { axis: -1 });

  const foldedWeights = graph.add("Reshape", [onPrefix, shapes.foldedPrefixScores]);
  const prefixValues = cache("prefix", layer, "v");
  const fromPrefix =
    group === 1
      ? addPaddedProduct(graph, foldedWeights, prefixValues)
      : graph.add("MatMul", [foldedWeights, prefixValues]);
  const fromOwn = graph.add("Add", [
    graph.add("MatMul", [onSuffix, cache("suffix", layer, "v")]),
    graph.add("MatMul", [onNew, newValues]),
  ]);
  const mixed = graph.add("Add", [graph.add("Reshape", [fromPrefix, shapes.grouped]), fromOwn]);

  const heads = graph.add("Reshape", [mixed, graph.integers([0, 0, group, -1, headSize])]);
  const byToken = graph.add("Transpose", [heads], { perm: [1, 3, 0, 2, 4] });
  return graph.add("Reshape", [byToken, graph.integers([-1, config.headCount * headSize])]);
}

/**
 * weights x values with a row of zeros below the weights. onnxruntime multiplies a single row by another kernel,
 * with another rounding, than two or more; without the padding, a sample that is alone in its batch would differ
 * in its last bits from the same sample beside others.
 */
function addPaddedProduct(graph: OnnxGraph, weights: TensorName, values: TensorName): TensorName {
  const padded = graph.add("Pad", [weights, graph.integers([0, 0, 0, 0, 0, 0, 1, 0])]);
  const product = graph.add("MatMul", [padded, values]);
  return graph.add("Slice", [product, graph.integers([0]), graph.integers([-1]), graph.integers([2])]);
}

/** The shape vectors that {@link addAttention} needs, computed from one run's inputs. */
export function addAttentionShapes(
  graph: OnnxGraph,
  config: DecoderConfig,
  {
    tokenIds,
    suffixMask,
    prefixKeys,
  }: { readonly tokenIds: TensorName; readonly suffixMask: TensorName; readonly prefixKeys: TensorName },
): AttentionShapes {
  const { headCount, kvHeadCount, headSize } = config;
  const group = headCount / kvHeadCount;
  const join = (...parts: TensorName[]): TensorName => graph.add("Concat", parts, { axis: 0 });
  const constant = (...values: number[]): TensorName => graph.integers(values);
  const dimension = (shape: TensorName, index: number): TensorName =>
    graph.add("Gather", [shape, constant(index)]);

  const batch = graph.add("Shape", [tokenIds]); // [B, S]
  const rows = dimension(batch, 0);
  const tokens = dimension(batch, 1);
  const prefixLength = dimension(graph.add("Shape", [prefixKeys]), 2);
  const queriesPerRow = graph.add("Mul", [tokens, constant(group)]);
  const queriesOfAll = graph.add("Mul", [queriesPerRow, rows]);
  return {
    queries: join(batch, constant(headCount * headSize)),
    keys: join(batch, constant(kvHeadCount * headSize)),
    values: join(batch, constant(kvHeadCount, headSize)),
    grouped: join(constant(kvHeadCount), rows, queriesPerRow, constant(headSize)),
    prefixScores: join(constant(kvHeadCount), rows, queriesPerRow, prefixLength),
    foldedPrefixScores: join(constant(kvHeadCount, 1), queriesOfAll, prefixLength),
    spans: join(prefixLength, graph.add("Shape", [suffixMask]), tokens),
  };
}
