import type { Attribute, OnnxGraph, TensorName } from "../../../onnx/graph.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { GraphScope, ResidualStream } from "../graph-scope.ts";
import type { GraphWeights } from "../graph-weights.ts";

/** What a norm needs of the graph that it is added to. */
export interface NormScope {
  readonly graph: OnnxGraph;
  readonly weights: GraphWeights;
  readonly config: Pick<DecoderConfig, "norm" | "normEpsilon">;
}

/** The stream behind a norm, and the stream itself. */
export interface NormedResidual {
  /** [N, D] */
  readonly normed: TensorName;
  /** [N, D] the resolved residual, which is what a trace reads. */
  readonly residual: TensorName;
}

/**
 * Norm of the residual stream, of the config's kind, after adding what is pending.
 * @param name of the weight without `.weight`
 * @see Zhang and Sennrich 2019 (RMS); Ba et al. 2016 (layer norm)
 */
export function addResidualNorm(scope: GraphScope, stream: ResidualStream, name: string): NormedResidual {
  const { residual } = addResidual(scope, stream);
  return { normed: addNorm(scope, residual, name, scope.config.hiddenSize), residual };
}

/** The stream with what is pending added, for a sublayer without a norm in front of it. */
export function addResidual({ graph }: GraphScope, { base, pending }: ResidualStream): NormedResidual {
  const residual = pending === null ? base : graph.add("Add", [base, pending]);
  return { normed: residual, residual };
}

/**
 * Norm over the last axis.
 * @param x [N, width]
 * @returns [N, width]
 */
export function addNorm(scope: NormScope, x: TensorName, name: string, width: number): TensorName {
  const { operator, parameters, attributes } = readNorm(scope, name, width);
  return scope.graph.add(operator, [x, ...parameters], attributes);
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

function readNorm(
  { graph, weights, config }: NormScope,
  name: string,
  width: number,
): {
  readonly operator: "LayerNormalization" | "SimplifiedLayerNormalization";
  readonly parameters: readonly TensorName[];
  readonly attributes: Readonly<Record<string, Attribute>>;
} {
  const attributes = { epsilon: { float: config.normEpsilon }, axis: -1, stash_type: 1 };
  const weight = weights.float32(`${name}.weight`, [width]);
  switch (config.norm) {
    case "layer": {
      const bias = weights.float32(`${name}.bias`, [width]);
      return { operator: "LayerNormalization", parameters: [weight, bias], attributes };
    }
    case "rms-plus-one": {
      // both are constants, so onnxruntime adds them once when it loads the graph
      const gamma = graph.add("Add", [weight, graph.scalar(1)]);
      return { operator: "SimplifiedLayerNormalization", parameters: [gamma], attributes };
    }
    case "rms":
      return { operator: "SimplifiedLayerNormalization", parameters: [weight], attributes };
  }
}
