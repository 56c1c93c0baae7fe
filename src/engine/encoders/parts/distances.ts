import type { OnnxGraph, TensorName } from "../../graph/graph.ts";
import type { GraphWeights } from "../../graph/graph-weights.ts";
import { addNorm } from "../../graph/parts/norm.ts";
import type { EncoderConfig, RelativePositions } from "../encoder-config.ts";
import { distanceRow } from "./distance-row.ts";

/** What attention over distances needs, computed once a run and shared by all blocks. S is the batch's length. */
export interface DistanceTensors {
  /** [2 span, D] the distances' embeddings */
  readonly embeddings: TensorName;
  /** [2S] rows of that table for the distances S - 1, S - 2, … , -S */
  readonly descending: TensorName;
  /** [2S] the same for -(S - 1), … , S */
  readonly ascending: TensorName;
  /** [S] the same for 0, -1, … , -(S - 1) */
  readonly fromFirst: TensorName;
  readonly skew: SkewShapes;
}

/** @see addSkew */
export interface SkewShapes {
  /** [H, B, S * 2S] */
  readonly flat: TensorName;
  /** [1] S - 1 */
  readonly start: TensorName;
  /** [1] S - 1 + S (2S - 1) */
  readonly end: TensorName;
  /** [H, B, S, 2S - 1] */
  readonly rows: TensorName;
  /** [1] S */
  readonly length: TensorName;
}

/** @param shape [2] the batch's B and S */
export function addDistances(
  { graph, weights }: { readonly graph: OnnxGraph; readonly weights: GraphWeights },
  config: EncoderConfig,
  relative: RelativePositions,
  { root, shape }: { readonly root: string; readonly shape: TensorName },
): DistanceTensors {
  const { headCount, maxPositions, hiddenSize } = config;
  const rowsOf = (distances: readonly number[]): TensorName =>
    graph.integers(distances.map((distance) => distanceRow(distance, relative)));
  const every = Array.from({ length: 2 * maxPositions }, (_, index) => index - (maxPositions - 1));
  const [one, longest] = [graph.integers([1]), graph.integers([maxPositions])];
  const length = graph.add("Slice", [shape, one, graph.integers([2])]);
  const rows = graph.add("Slice", [shape, graph.integers([0]), one]);
  const from = graph.add("Sub", [longest, length]);
  const to = graph.add("Add", [longest, length]);
  const first = graph.integers([maxPositions - 1]);
  const descending = rowsOf(every.map((distance) => -distance));

  const twice = graph.add("Add", [length, length]);
  const start = graph.add("Sub", [length, one]);
  const odd = graph.add("Sub", [twice, one]);
  const join = (...parts: TensorName[]): TensorName => graph.add("Concat", parts, { axis: 0 });
  const table = weights.float32(`${root}encoder.rel_embeddings.weight`, [2 * relative.span, hiddenSize]);
  return {
    embeddings: relative.normed
      ? addNorm({ graph, weights, config }, table, `${root}encoder.LayerNorm`, hiddenSize)
      : table,
    descending: graph.add("Slice", [descending, from, to]),
    ascending: graph.add("Slice", [rowsOf(every), from, to]),
    fromFirst: graph.add("Slice", [descending, first, graph.add("Add", [first, length])]),
    skew: {
      flat: join(graph.integers([headCount]), rows, graph.add("Mul", [length, twice])),
      start,
      end: graph.add("Add", [start, graph.add("Mul", [length, odd])]),
      rows: join(graph.integers([headCount]), rows, length, odd),
      length,
    },
  };
}
