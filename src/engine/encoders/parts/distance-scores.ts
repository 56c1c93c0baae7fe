import type { TensorName } from "../../graph/graph.ts";
import type { RelativePositions } from "../encoder-config.ts";
import type { EncoderScope, Queries } from "../encoder-scope.ts";
import type { DistanceTensors } from "./distances.ts";

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
