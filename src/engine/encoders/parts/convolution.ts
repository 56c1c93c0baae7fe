import type { TensorName } from "../../graph/graph.ts";
import { addActivation } from "../../graph/parts/activation.ts";
import { addNorm } from "../../graph/parts/norm.ts";
import type { Convolution } from "../encoder-config.ts";
import type { EncoderScope } from "../encoder-scope.ts";

/**
 * Adds a convolution of the embeddings to the first block's output, and norms the sum; padding is 0 before and after.
 * @param embedded [N, D] what went into the block
 * @param x        [N, D] what came out of it
 * @returns [N, D]
 */
export function addConvolution(
  scope: EncoderScope,
  { kernelSize, groups, activation }: Convolution,
  embedded: TensorName,
  x: TensorName,
): TensorName {
  const { graph, weights, config, root, shape, tokenMask } = scope;
  const { hiddenSize } = config;
  const flat = graph.integers([-1, hiddenSize]);
  const sizes = graph.add("Concat", [shape, graph.integers([hiddenSize])], { axis: 0 });
  const channels = graph.add("Transpose", [graph.add("Reshape", [embedded, sizes])], { perm: [0, 2, 1] });
  const padding = Math.floor((kernelSize - 1) / 2);
  const convolved = graph.add(
    "Conv",
    [
      channels,
      weights.float32(`${root}encoder.conv.conv.weight`, [hiddenSize, hiddenSize / groups, kernelSize]),
      weights.float32(`${root}encoder.conv.conv.bias`, [hiddenSize]),
    ],
    { group: groups, pads: [padding, padding], kernel_shape: [kernelSize] },
  );
  const masked = graph.add("Mul", [graph.add("Transpose", [convolved], { perm: [0, 2, 1] }), tokenMask]);
  const activated = addActivation(graph, activation, graph.add("Reshape", [masked, flat]));
  const normed = addNorm(
    scope,
    graph.add("Add", [x, activated]),
    `${root}encoder.conv.LayerNorm`,
    hiddenSize,
  );
  return graph.add("Mul", [normed, graph.add("Reshape", [tokenMask, graph.integers([-1, 1])])]);
}
