import { DEVICES, type DeviceOperators } from "../runtime/device.ts";
import type { GraphModel } from "../runtime/runtime.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { eachSpan, maskKindOf } from "./attention-masks.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { DECODER_TENSORS, declareDecoderTensors } from "./decoder-tensors.ts";
import { createGraph, type TensorName } from "./graph.ts";
import type { GraphScope, LinearWeight, QuantisedWeights } from "./graph-scope.ts";
import { createGraphWeights, findRoot, refuseUnusedWeights } from "./graph-weights.ts";
import { addAttentionShapes } from "./parts/attention.ts";
import { addEmbedding, addHead } from "./parts/embedding.ts";
import { addNorm } from "./parts/residual-block.ts";
import { addVocabulary } from "./parts/vocabulary.ts";
import type { StoredWeight, WeightIndex } from "./weights.ts";

/**
 * onnxruntime maps a table into memory to look rows up in it, and every page that a token has touched stays there: after
 * a few questions that is half of the table. Reading rows from the file takes two microseconds each, which only the
 * passes of models with small tables would notice.
 */
const FEED_FROM_BYTES = 2 ** 24;

/**
 * Builds the decoder as one ONNX graph that serves chunked prefill, decoding and tracing.
 *
 * Inputs: those of {@link declareDecoderTensors} and {@link addVocabulary}, and `trace_rows`, `logit_rows` [any]: which of
 * the B * S tokens to read. Outputs: those of `addVocabulary`; `final_norm` [rows, D]; `residual.{l}` [rows, D] for l = 0 .. L (0 = the
 * embeddings as the first block receives them, l = after block l, always before the final norm); the new keys and
 * values.
 * @param quantised the quantised weights of the linear layers; null computes them in float32
 * @param operators what the device can do; the CPU's by default
 * @param feedFromBytes size of an embedding table from which on its rows are fed to the graph; tests set it
 * @throws SepError `bad-checkpoint` when weights are missing or misshapen, `unsupported-model` when the checkpoint has
 *   weights that the graph does not compute with
 */
export function buildDecoder(
  architecture: Architecture,
  config: DecoderConfig,
  index: WeightIndex,
  {
    quantised = null,
    operators = DEVICES.cpu.operators,
    feedFromBytes = FEED_FROM_BYTES,
  }: BuildDecoderOptions = {},
): DecoderGraph {
  const graph = createGraph("decoder");
  const names = DECODER_TENSORS;
  const { hiddenSize, vocabularySize } = config;
  const { tensors } = architecture;
  const root = findRoot(index, tensors.roots, `${tensors.embedding}.weight`);
  const weights = createGraphWeights(graph, index, quantised);
  const table = weights.locate(`${root}${tensors.embedding}.weight`, [vocabularySize, hiddenSize]);
  const fed = operators.sharesMemory && table.byteLength >= feedFromBytes;
  const inputs = declareDecoderTensors(graph, config, { embeddings: fed });
  const traceRows = graph.input(names.traceRows, "int64", ["traced"]);
  const logitRows = graph.input(names.logitRows, "int64", ["predicted"]);
  const shapes = addAttentionShapes(graph, config, {
    positionIds: inputs.positionIds,
    slots: inputs.slots,
    sharedKeys: eachSpan((span) => names.cache(span, 0, "k")),
    suffixKeys: names.cache("suffix", 0, "k"),
    gap: inputs.gap,
    mask: inputs.mask(maskKindOf(config, 0)),
  });
  const scope: GraphScope = {
    graph,
    weights,
    config,
    root,
    inputs,
    shapes,
    cache: names.cache,
    operators,
    linears: [],
    quantisedRows: new Map(),
    rotations: new Map(),
    pairedRows: new Map(),
  };

  const tap = (layer: number, residual: TensorName): void => {
    graph.addNamed("Gather", [residual, traceRows], [names.residual(layer)], { axis: 0 });
    graph.output(names.residual(layer), "float32", ["traced", hiddenSize]);
  };
  let stream = addEmbedding(scope, tensors);
  for (let layer = 0; layer < config.blockCount; layer++) {
    tap(layer, stream);
    stream = architecture.addBlock(scope, layer, stream);
  }
  tap(config.blockCount, stream);
  const normed = addNorm(scope, stream, `${root}${tensors.finalNorm}`, hiddenSize);
  graph.addNamed("Gather", [normed, traceRows], [names.finalNorm], { axis: 0 });
  graph.output(names.finalNorm, "float32", ["traced", hiddenSize]);

  const predicting = graph.add("Gather", [normed, logitRows], { axis: 0 });
  addVocabulary(graph, addHead(scope, predicting, tensors), vocabularySize);
  refuseUnusedWeights(index, { weights, root, ignored: tensors.ignored, modelType: config.modelType });
  return {
    model: { graph: graph.serialize(), sources: weights.sources() },
    linears: scope.linears,
    embeddingTable: fed ? table : null,
  };
}

interface BuildDecoderOptions {
  readonly quantised?: QuantisedWeights | null;
  readonly operators?: DeviceOperators;
  readonly feedFromBytes?: number;
}

interface DecoderGraph {
  readonly model: GraphModel;
  /** The weights that can be quantised. */
  readonly linears: readonly LinearWeight[];
  /** Where the embeddings are if the graph takes `embeddings` [B * S, D] instead of `token_ids`. */
  readonly embeddingTable: StoredWeight | null;
}
