import type { WeightIndex } from "../../checkpoint/weight-index.ts";
import { createGraph, ONNX_TYPES } from "../graph/graph.ts";
import type { LinearWeight } from "../graph/graph-scope.ts";
import { createGraphWeights, type QuantisedWeights } from "../graph/graph-weights.ts";
import { findRoot, refuseUnusedWeights } from "../graph/trunk.ts";
import type { EncoderArchitecture } from "./encoder-architecture.ts";
import type { EncoderConfig } from "./encoder-config.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { ENCODER_TENSORS as names } from "./encoder-tensors.ts";
import { addEncoderBlock, addFirstTokens } from "./parts/block.ts";
import { addConvolution } from "./parts/convolution.ts";
import { addDistances } from "./parts/distances.ts";
import { addEncoderEmbeddings } from "./parts/embeddings.ts";

export interface BuildEncoderOptions {
  /** Logits of so many labels from each text's first token; null gives every token's last hidden state. */
  readonly labelCount: number | null;
  /** The linear maps' weights in fewer bits; null computes them in float32. */
  readonly quantised?: QuantisedWeights | null;
}

export interface EncoderGraph {
  /** The serialised model, whose external data are the weight files' base names. */
  readonly model: Uint8Array;
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
  return { model: graph.serialize(), linears: scope.linears };
}
