import type { TensorName } from "../../graph/graph.ts";
import { addActivation } from "../../graph/parts/activation.ts";
import { addLinear } from "../../graph/parts/linear.ts";
import { addNorm } from "../../graph/parts/norm.ts";
import type { EncoderScope, Queries } from "../encoder-scope.ts";
import { addEncoderAttention } from "./attention.ts";

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
    addLinear(scope, input, `${attention}.${name}`, hiddenSize, hiddenSize, { bias: true });
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
  const mixed = addLinear(scope, attended, `${block}.attention.output.dense`, hiddenSize, hiddenSize, {
    bias: true,
  });
  const middle = addNorm(
    scope,
    graph.add("Add", [asked, mixed]),
    `${block}.attention.output.LayerNorm`,
    hiddenSize,
  );
  const raised = addLinear(scope, middle, `${block}.intermediate.dense`, intermediateSize, hiddenSize, {
    bias: true,
  });
  const activated = addActivation(graph, config.activation, raised);
  const lowered = addLinear(scope, activated, `${block}.output.dense`, hiddenSize, intermediateSize, {
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
