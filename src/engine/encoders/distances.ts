import type { OnnxGraph, TensorName } from "../graph/graph.ts";
import type { GraphWeights } from "../graph/graph-scope.ts";
import { addNorm } from "../graph/parts/residual-block.ts";
import type {
  DistanceTensors,
  EncoderConfig,
  EncoderScope,
  Queries,
  RelativePositions,
} from "./encoder-architecture.ts";

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

interface HeadTensors {
  /** [H, B, S or 1, headSize] */
  readonly queries: TensorName;
  /** [H, B, S, headSize] */
  readonly keys: TensorName;
}

/**
 * What distances add to a block's scores: contents of queries against distances, and contents of keys against
 * distances. The projected distances depend on weights alone, and onnxruntime computes them once when it loads the
 * graph; of their 2 span rows a run takes the 2S that its texts' length can need.
 * @param attention prefix of the attention's weights
 * @returns terms [H, B, S or 1, S], none where attention does not look at distances
 * @see He et al. 2021 (DeBERTa), eq. 4
 */
export function addDistanceScores(
  scope: EncoderScope,
  attention: string,
  { queries, keys }: HeadTensors,
  asked: Queries,
): TensorName[] {
  const { config, distances, projections } = scope;
  const { relative } = config;
  if (relative === null || distances === null) return [];
  const terms: TensorName[] = [];
  if (relative.contentToPosition) {
    const name = relative.sharedProjections ? `${attention}.${projections.key}` : `${attention}.pos_key_proj`;
    const table = addTable(scope, distances, relative, name);
    terms.push(
      asked === "all"
        ? addSkew(scope, distances, queries, addRows(scope, table, distances.descending))
        : addFirstQueries(scope, queries, addRows(scope, table, distances.fromFirst)),
    );
  }
  if (relative.positionToContent) {
    const shared = relative.sharedProjections;
    const name = shared ? `${attention}.${projections.query}` : `${attention}.pos_query_proj`;
    const table = addTable(scope, distances, relative, name);
    if (asked === "all") {
      const byKey = addSkew(scope, distances, keys, addRows(scope, table, distances.ascending));
      terms.push(scope.graph.add("Transpose", [byKey], { perm: [0, 1, 3, 2] }));
    } else {
      terms.push(addFirstKeys(scope, keys, addRows(scope, table, distances.fromFirst)));
    }
  }
  return terms;
}

/** The distances' embeddings through a projection. @returns [H, 2 span, headSize] */
function addTable(
  { graph, weights, config }: EncoderScope,
  { embeddings }: DistanceTensors,
  { span }: RelativePositions,
  name: string,
): TensorName {
  const { hiddenSize, headCount, headSize } = config;
  const width = headCount * headSize;
  const operands = [
    embeddings,
    weights.float32(`${name}.weight`, [width, hiddenSize]),
    weights.float32(`${name}.bias`, [width]),
  ];
  const projected = graph.add("Gemm", operands, { transB: 1 });
  const heads = graph.add("Reshape", [projected, graph.integers([2 * span, headCount, headSize])]);
  return graph.add("Transpose", [heads], { perm: [1, 0, 2] });
}

const addRows = ({ graph }: EncoderScope, table: TensorName, rows: TensorName): TensorName =>
  graph.add("Gather", [table, rows], { axis: 1 });

/**
 * Products of each token's vector with the 2S distances around it, put in the order of the tokens at those distances:
 * entry [i, j] is the product of token i with row S - 1 - i + j. In each text's flat S x 2S products that entry stands
 * at S - 1 + i (2S - 1) + j, so that two slices do it, and nothing is gathered element by element.
 * @param contents [H, B, S, headSize]
 * @param rows     [H, 2S, headSize]
 * @returns [H, B, S, S]
 */
function addSkew(
  { graph, config }: EncoderScope,
  { skew }: DistanceTensors,
  contents: TensorName,
  rows: TensorName,
): TensorName {
  const folded = graph.add("Reshape", [contents, graph.integers([0, -1, config.headSize])]);
  const scale = { alpha: { float: config.attentionScale }, transB: 1 };
  const products = graph.add("FusedMatMul", [folded, rows], scale);
  const flat = graph.add("Reshape", [products, skew.flat]);
  const begun = graph.add("Slice", [flat, skew.start, skew.end, graph.integers([2])]);
  const wide = graph.add("Reshape", [begun, skew.rows]);
  return graph.add("Slice", [wide, graph.integers([0]), skew.length, graph.integers([3])]);
}

/** @param queries [H, B, 1, headSize]; @param rows [H, S, headSize]; @returns [H, B, 1, S] */
function addFirstQueries({ graph, config }: EncoderScope, queries: TensorName, rows: TensorName): TensorName {
  const folded = graph.add("Reshape", [queries, graph.integers([0, -1, config.headSize])]);
  const scale = { alpha: { float: config.attentionScale }, transB: 1 };
  const products = graph.add("FusedMatMul", [folded, rows], scale);
  return graph.add("Unsqueeze", [products, graph.integers([2])]);
}

/** @param keys [H, B, S, headSize]; @param rows [H, S, headSize]; @returns [H, B, 1, S] */
function addFirstKeys({ graph, config }: EncoderScope, keys: TensorName, rows: TensorName): TensorName {
  const products = graph.add("Mul", [keys, graph.add("Unsqueeze", [rows, graph.integers([1])])]);
  const sums = graph.add("ReduceSum", [products, graph.integers([3])], { keepdims: 0 });
  const scaled = graph.add("Mul", [sums, graph.scalar(config.attentionScale)]);
  return graph.add("Unsqueeze", [scaled, graph.integers([2])]);
}

/**
 * The row of the distances' table for a query that stands `distance` tokens after its key. Short distances have a row
 * each; with buckets, longer ones share rows on a logarithmic scale. In float32 as PyTorch computes it, since a
 * rounding decides between two rows.
 * @param distance negative where the query stands before its key
 * @returns 0 .. 2 span - 1
 * @see He et al. 2021 (DeBERTa), eq. 3; its version 2 adds the buckets
 */
export function distanceRow(distance: number, { span, buckets, maxDistance }: RelativePositions): number {
  const bucket = buckets === null ? distance : bucketOf(distance, buckets, maxDistance);
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

function bucketOf(distance: number, buckets: number, maxDistance: number): number {
  const middle = Math.floor(buckets / 2);
  const length = Math.abs(distance);
  if (length <= middle) return distance;
  const scale = logarithm((maxDistance - 1) / middle);
  const share = Math.fround(Math.fround(logarithm(length / middle) / scale) * (middle - 1));
  return Math.sign(distance) * (Math.ceil(share) + middle);
}

const logarithm = (value: number): number => Math.fround(Math.log(Math.fround(value)));
