import { createGraph, ONNX_TYPES, type TensorName } from "../graph/graph.ts";
import type { LinearWeight, QuantisedWeights } from "../graph/graph-scope.ts";
import { createGraphWeights, findRoot, refuseUnusedWeights } from "../graph/graph-weights.ts";
import { addLinear } from "../graph/parts/linear.ts";
import { addActivation } from "../graph/parts/mlp.ts";
import { addNorm } from "../graph/parts/residual-block.ts";
import type { WeightIndex } from "../graph/weights.ts";
import type { GraphModel } from "../runtime/runtime.ts";
import { addDistances } from "./distances.ts";
import {
  type Convolution,
  type EncoderArchitecture,
  type EncoderConfig,
  type EncoderScope,
  ENCODER_TENSORS as names,
} from "./encoder-architecture.ts";
import { addEncoderBlock, addFirstTokens } from "./encoder-block.ts";

interface BuildEncoderOptions {
  /** Logits of so many labels from each text's first token; null gives every token's last hidden state. */
  readonly labelCount: number | null;
  /** The quantised weights of the linear layers; null computes them in float32. */
  readonly quantised?: QuantisedWeights | null;
}

export interface EncoderGraph {
  readonly model: GraphModel;
  /** The weights that can be quantised. */
  readonly linears: readonly LinearWeight[];
}

/** Added to the scores of padding: finite, and far below any real score. */
const MASKED = -1e30;

/**
 * Builds an encoder as one ONNX graph, with the inputs and outputs that exported models have: `input_ids`,
 * `attention_mask` and, where embeddings tell token types apart, `token_type_ids`, all int64 [B, S]; `logits`
 * [B, labelCount] or `last_hidden_state` [B, S, D]. For logits the last block computes first tokens only.
 * @throws SepError `bad-checkpoint` when weights are missing or misshapen, `unsupported-model` when the checkpoint has
 *   weights that the graph does not compute with
 */
export function buildEncoder(
  architecture: EncoderArchitecture,
  config: EncoderConfig,
  index: WeightIndex,
  { labelCount, quantised = null }: BuildEncoderOptions,
): EncoderGraph {
  const graph = createGraph("encoder");
  const root = findRoot(index, architecture.roots, "embeddings.word_embeddings.weight");
  const weights = createGraphWeights(graph, index, quantised);
  const batch = ["B", "S"] as const;
  const tokenIds = graph.input(names.tokenIds, "int64", batch);
  const mask = graph.add("Cast", [graph.input(names.mask, "int64", batch)], { to: ONNX_TYPES.float32 });
  const shape = graph.add("Shape", [tokenIds]);
  const masked = graph.add("Mul", [graph.add("Sub", [graph.scalar(1), mask]), graph.scalar(MASKED)]);
  const scope: EncoderScope = {
    graph,
    weights,
    config,
    projections: architecture.projections,
    root,
    tokenIds,
    tokenTypeIds: config.tokenTypes > 0 ? graph.input(names.tokenTypes, "int64", batch) : null,
    tokenMask: graph.add("Unsqueeze", [mask, graph.integers([2])]),
    keyMask: graph.add("Unsqueeze", [masked, graph.integers([0, 2])]),
    shape,
    distances: config.relative && addDistances({ graph, weights }, config, config.relative, { root, shape }),
    linears: [],
    quantisedRows: new Map(),
    rotations: new Map(),
    pairedRows: new Map(),
  };

  const embedded = addEncoderEmbeddings(scope);
  let x = embedded;
  // the convolution reads all tokens of the first block
  const readsAll = (layer: number): boolean =>
    labelCount === null || layer < config.blockCount - 1 || (layer === 0 && config.convolution !== null);
  for (let layer = 0; layer < config.blockCount; layer++) {
    x = addEncoderBlock(scope, layer, x, readsAll(layer) ? "all" : "first");
    if (layer === 0 && config.convolution !== null)
      x = addConvolution(scope, config.convolution, embedded, x);
  }
  if (labelCount === null) {
    const sizes = graph.add("Concat", [shape, graph.integers([config.hiddenSize])], { axis: 0 });
    graph.addNamed("Reshape", [x, sizes], [names.hidden]);
    graph.output(names.hidden, "float32", [...batch, config.hiddenSize]);
  } else {
    const first = readsAll(config.blockCount - 1) ? addFirstTokens(scope, x) : x;
    const logits = architecture.addHead(scope, first, labelCount);
    graph.addNamed("Identity", [logits], [names.logits]);
    graph.output(names.logits, "float32", ["B", labelCount]);
  }
  const { ignored } = architecture;
  refuseUnusedWeights(index, { weights, root, ignored, modelType: config.modelType });
  return { model: { graph: graph.serialize(), sources: weights.sources() }, linears: scope.linears };
}

/**
 * Words, positions and token types, whichever there are, added up and normed; 0 for padding, which the convolution
 * would see.
 * @returns [N, D]
 */
function addEncoderEmbeddings(scope: EncoderScope): TensorName {
  const { graph, weights, config, root, shape } = scope;
  const { embeddingSize, hiddenSize, firstPosition } = config;
  const names = `${root}embeddings`;
  let sum = addLookUp(scope, `${names}.word_embeddings.weight`, config.vocabularySize, scope.tokenIds);
  if (scope.tokenTypeIds !== null) {
    const types = `${names}.token_type_embeddings.weight`;
    sum = graph.add("Add", [sum, addLookUp(scope, types, config.tokenTypes, scope.tokenTypeIds)]);
  }
  if (firstPosition !== null) {
    const rows = config.maxPositions + firstPosition;
    const table = weights.float32(`${names}.position_embeddings.weight`, [rows, embeddingSize]);
    const length = graph.add("Slice", [shape, graph.integers([1]), graph.integers([2])]);
    const first = graph.integers([firstPosition]);
    const positions = graph.add("Slice", [table, first, graph.add("Add", [first, length])]);
    sum = graph.add("Add", [sum, positions]);
  }
  let flat = graph.add("Reshape", [sum, graph.integers([-1, embeddingSize])]);
  if (embeddingSize !== hiddenSize)
    flat = addLinear(scope, flat, `${names}.embed_proj`, [hiddenSize, embeddingSize]);
  const normed = addNorm(scope, flat, `${names}.LayerNorm`, hiddenSize);
  if (config.convolution === null) return normed;
  const mask = graph.add("Reshape", [scope.tokenMask, graph.integers([-1, 1])]);
  return graph.add("Mul", [normed, mask]);
}

/** Reads the table as it is stored, so that a half-precision one is not widened whole. @returns [B, S, width] */
function addLookUp(
  { graph, weights, config }: EncoderScope,
  name: string,
  rowCount: number,
  ids: TensorName,
): TensorName {
  const { tensor, type } = weights.stored(name, [rowCount, config.embeddingSize]);
  const rows = graph.add("Gather", [tensor, ids], { axis: 0 });
  return type === "float32" ? rows : graph.add("Cast", [rows], { to: ONNX_TYPES.float32 });
}

/**
 * Adds a convolution of the embeddings to the first block's output, and norms the sum; padding is 0 before and after.
 * @param embedded [N, D] what went into the block
 * @param x        [N, D] what came out of it
 * @returns [N, D]
 */
function addConvolution(
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
