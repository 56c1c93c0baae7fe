import type { DecoderConfig } from "../decoder-config.ts";
import type { OnnxGraph, TensorName } from "../graph.ts";
import type { AttentionShapes } from "../graph-scope.ts";

/** The shape vectors that the attention needs, computed from one run's inputs. */
export function addAttentionShapes(
  graph: OnnxGraph,
  { headCount, kvHeadCount, headSize }: DecoderConfig,
  {
    positionIds,
    prefixKeys,
    suffixKeys,
  }: { readonly positionIds: TensorName; readonly prefixKeys: TensorName; readonly suffixKeys: TensorName },
): AttentionShapes {
  const group = headCount / kvHeadCount;
  const join = (...parts: TensorName[]): TensorName => graph.add("Concat", parts, { axis: 0 });
  const constant = (...values: number[]): TensorName => graph.integers(values);
  const dimensions = (tensor: TensorName, start: number, end: number): TensorName =>
    graph.add("Shape", [tensor], { start, end });

  const batch = dimensions(positionIds, 0, 2); // [B, S]
  const rows = dimensions(positionIds, 0, 1);
  const tokens = dimensions(positionIds, 1, 2);
  const prefixLength = dimensions(prefixKeys, 2, 3);
  const suffixCapacity = dimensions(suffixKeys, 2, 3);
  const queriesPerRow = graph.add("Mul", [tokens, constant(group)]);
  const queriesOfAll = graph.add("Mul", [queriesPerRow, rows]);
  return {
    queries: join(batch, constant(headCount * headSize)),
    keys: join(batch, constant(kvHeadCount * headSize)),
    queryGroups: join(batch, constant(kvHeadCount, group, headSize)),
    keyHeads: join(batch, constant(kvHeadCount, headSize)),
    grouped: join(constant(kvHeadCount), rows, queriesPerRow, constant(headSize)),
    prefixScores: join(constant(kvHeadCount), rows, queriesPerRow, prefixLength),
    foldedPrefixScores: join(constant(kvHeadCount, 1), queriesOfAll, prefixLength),
    spans: join(prefixLength, suffixCapacity, tokens),
  };
}
