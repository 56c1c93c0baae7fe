import type { DecoderConfig } from "../decoder-config.ts";
import type { OnnxGraph, TensorName } from "../graph.ts";
import type { GraphScope, GraphWeights } from "../graph-scope.ts";

/** One of a block's two halves; norms by name, absent if there is none. */
interface Sublayer {
  readonly normBefore?: string;
  /** [N, D] -> [N, D] */
  readonly compute: (x: TensorName) => TensorName;
  readonly normAfter?: string;
}

interface Sublayers {
  readonly attention: Sublayer;
  readonly mlp: Sublayer;
}

/** x + attention(x), then x + mlp(x), with norms in front, behind, or both. */
export function addSequentialBlock(
  scope: GraphScope,
  x: TensorName,
  { attention, mlp }: Sublayers,
): TensorName {
  const { graph } = scope;
  const middle = graph.add("Add", [x, addSublayer(scope, attention, x)]);
  return graph.add("Add", [middle, addSublayer(scope, mlp, middle)]);
}

/** x + attention(x) + mlp(x): both read the stream as it enters the block. */
export function addParallelBlock(
  scope: GraphScope,
  x: TensorName,
  { attention, mlp }: Sublayers,
): TensorName {
  const { graph } = scope;
  const attended = addSublayer(scope, attention, x);
  return graph.add("Add", [x, graph.add("Add", [addSublayer(scope, mlp, x), attended])]);
}

function addSublayer(
  scope: GraphScope,
  { normBefore, compute, normAfter }: Sublayer,
  x: TensorName,
): TensorName {
  const width = scope.config.hiddenSize;
  const output = compute(normBefore === undefined ? x : addNorm(scope, x, normBefore, width));
  return normAfter === undefined ? output : addNorm(scope, output, normAfter, width);
}

/** What a norm needs of the graph that it is added to. */
interface NormScope {
  readonly graph: OnnxGraph;
  readonly weights: GraphWeights;
  readonly config: Pick<DecoderConfig, "norm" | "normEpsilon">;
}

/**
 * Norm over the last axis, of the config's kind. What it norms is mostly a sum, and stays one: onnxruntime's operators
 * for sum and norm in one take up to six times as long as the two do (1.30, on a CPU).
 * @param x [N, width]
 * @param name of the weight without `.weight`
 * @returns [N, width]
 * @see Zhang and Sennrich 2019 (RMS); Ba et al. 2016 (layer norm)
 */
export function addNorm(
  { graph, weights, config }: NormScope,
  x: TensorName,
  name: string,
  width: number,
): TensorName {
  const attributes = { epsilon: { float: config.normEpsilon }, axis: -1, stash_type: 1 };
  const weight = weights.float32(`${name}.weight`, [width]);
  switch (config.norm) {
    case "layer": {
      const bias = weights.float32(`${name}.bias`, [width]);
      return graph.add("LayerNormalization", [x, weight, bias], attributes);
    }
    case "rms-plus-one": {
      // both are constants, so onnxruntime adds them once when it loads the graph
      const gamma = graph.add("Add", [weight, graph.scalar(1)]);
      return graph.add("SimplifiedLayerNormalization", [x, gamma], attributes);
    }
    case "rms":
      return graph.add("SimplifiedLayerNormalization", [x, weight], attributes);
  }
}

/**
 * Norm of each head on its own, as Qwen3 and Gemma 3 do to queries and keys before the rotation.
 * @param x [N, heads * headSize]
 * @returns [N * heads, headSize]
 */
export function addHeadNorm(scope: GraphScope, x: TensorName, name: string): TensorName {
  const { graph, config } = scope;
  const heads = graph.add("Reshape", [x, graph.integers([-1, config.headSize])]);
  return addNorm(scope, heads, name, config.headSize);
}
