import { createGraph, type TensorName } from "../onnx/graph.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { GraphScope, ResidualStream } from "./graph-scope.ts";
import { createGraphWeights } from "./graph-weights.ts";
import { addAttentionShapes } from "./parts/attention.ts";
import { addLinear } from "./parts/linear.ts";
import { addResidualNorm } from "./parts/norm.ts";
import type { WeightIndex } from "./weight-index.ts";

/** Names of the decoder graph's inputs and outputs, shared with the session that runs it. */
export const DECODER_TENSORS = {
  tokenIds: "token_ids",
  positionIds: "position_ids",
  ropeCos: "rope_cos",
  ropeSin: "rope_sin",
  suffixMask: "suffix_mask",
  newMask: "new_mask",
  traceRows: "trace_rows",
  logitRows: "logit_rows",
  logits: "logits",
  finalNorm: "final_norm",
  residual: (layer: number): string => `residual.${layer}`,
  cache: (kind: "prefix" | "suffix" | "new", layer: number, half: "k" | "v"): string =>
    `${kind}.${layer}.${half}`,
} as const;

/**
 * Builds the decoder as one ONNX graph that serves chunked prefill, decoding and tracing.
 *
 * Inputs: `token_ids`, `position_ids` [B, S]; `rope_cos`, `rope_sin` [R, headSize / 2]; `suffix_mask` [T];
 * `new_mask` [G * S, S]; `trace_rows`, `logit_rows` [any]: which of the B * S tokens to read; per layer
 * `prefix.{l}.k|v` [kvHeads, 1, X, headSize] and `suffix.{l}.k|v` [kvHeads, B, T, headSize].
 * Outputs: `logits` [rows, V]; `final_norm` [rows, D]; `residual.{l}` [rows, D] for l = 0 .. L (0 = embeddings,
 * l = after block l, always before the final norm); `new.{l}.k|v` [kvHeads, B, S, headSize].
 * @returns the serialised model, whose external data are the weight files' base names
 */
export function buildDecoder(
  architecture: Architecture,
  config: DecoderConfig,
  index: WeightIndex,
): Uint8Array {
  const graph = createGraph("decoder");
  const names = DECODER_TENSORS;
  const { kvHeadCount, headSize, hiddenSize, vocabularySize } = config;
  const inputs = {
    tokenIds: graph.input(names.tokenIds, "int64", ["B", "S"]),
    positionIds: graph.input(names.positionIds, "int64", ["B", "S"]),
    ropeCos: graph.input(names.ropeCos, "float32", ["R", headSize / 2]),
    ropeSin: graph.input(names.ropeSin, "float32", ["R", headSize / 2]),
    suffixMask: graph.input(names.suffixMask, "float32", ["T"]),
    newMask: graph.input(names.newMask, "float32", ["GS", "S"]),
  };
  const traceRows = graph.input(names.traceRows, "int64", ["traced"]);
  const logitRows = graph.input(names.logitRows, "int64", ["predicted"]);
  for (let layer = 0; layer < config.blockCount; layer++) {
    for (const half of ["k", "v"] as const) {
      graph.input(names.cache("prefix", layer, half), "float32", [kvHeadCount, 1, "X", headSize]);
      graph.input(names.cache("suffix", layer, half), "float32", [kvHeadCount, "B", "T", headSize]);
      graph.output(names.cache("new", layer, half), "float32", [kvHeadCount, "B", "S", headSize]);
    }
  }
  const shapes = addAttentionShapes(graph, config, {
    tokenIds: inputs.tokenIds,
    suffixMask: inputs.suffixMask,
    prefixKeys: names.cache("prefix", 0, "k"),
  });
  const weights = createGraphWeights(graph, index);
  const scope: GraphScope = { graph, weights, config, inputs, shapes, cache: names.cache };

  const tap = (layer: number, residual: TensorName): void => {
    graph.addNamed("Gather", [residual, traceRows], [names.residual(layer)], { axis: 0 });
    graph.output(names.residual(layer), "float32", ["traced", hiddenSize]);
  };
  let stream = addEmbedding(scope, architecture.tensors.embedding);
  for (let layer = 0; layer < config.blockCount; layer++) {
    const block = architecture.addBlock(scope, layer, stream);
    tap(layer, block.entered);
    stream = block.stream;
  }
  const { normed, residual } = addResidualNorm(scope, stream, architecture.tensors.finalNorm);
  tap(config.blockCount, residual);
  graph.addNamed("Gather", [normed, traceRows], [names.finalNorm], { axis: 0 });
  graph.output(names.finalNorm, "float32", ["traced", hiddenSize]);

  const predicting = graph.add("Gather", [normed, logitRows], { axis: 0 });
  const head = config.tiedEmbeddings ? architecture.tensors.embedding : architecture.tensors.head;
  const logits = addLinear(scope, predicting, head, vocabularySize, hiddenSize);
  graph.addNamed("Identity", [logits], [names.logits]);
  graph.output(names.logits, "float32", ["predicted", vocabularySize]);
  return graph.serialize();
}

/** Looks tokens up in the table as it is stored, so that a half-precision table is not widened whole. */
function addEmbedding({ graph, weights, config, inputs }: GraphScope, embedding: string): ResidualStream {
  const table = weights.stored(embedding, [config.vocabularySize, config.hiddenSize]);
  const flat = graph.add("Reshape", [inputs.tokenIds, graph.integers([-1])]);
  const rows = graph.add("Gather", [table.tensor, flat], { axis: 0 });
  return { base: table.type === "float32" ? rows : graph.add("Cast", [rows], { to: 1 }), pending: null };
}
