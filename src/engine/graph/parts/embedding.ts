import type { TensorNames } from "../architectures/architecture.ts";
import { ONNX_TYPES, type TensorName } from "../graph.ts";
import type { GraphScope, LinearScope, ScaledRows } from "../graph-scope.ts";
import { addHeadProduct, scaleRows } from "./linear.ts";

/**
 * The stream as the first block receives it: token embeddings, scaled where the config says so, plus learned positions
 * where the architecture has them.
 * @returns [N, D]
 */
export function addEmbedding(scope: GraphScope, { embedding, positions }: TensorNames): TensorName {
  const { graph, config, inputs, root } = scope;
  const { tokens } = inputs;
  const rows =
    "embeddings" in tokens
      ? tokens.embeddings
      : addLookUp(scope, `${root}${embedding}.weight`, config.vocabularySize, tokens.ids);
  const base =
    config.embeddingScale === 1 ? rows : graph.add("Mul", [rows, graph.scalar(config.embeddingScale)]);
  if (positions === null) return base;
  const table = `${root}${positions}.weight`;
  return graph.add("Add", [base, addLookUp(scope, table, config.maxPositions, inputs.positionIds)]);
}

/** Reads the table as it is stored where the device can, so that a half-precision one is not widened whole. @returns [N, D] */
function addLookUp(
  { graph, weights, config, operators }: GraphScope,
  name: string,
  rowCount: number,
  ids: TensorName,
): TensorName {
  const flat = graph.add("Reshape", [ids, graph.integers([-1])]);
  const shape = [rowCount, config.hiddenSize];
  if (!operators.halfLookUp) return graph.add("Gather", [weights.float32(name, shape), flat], { axis: 0 });
  const { tensor, type } = weights.stored(name, shape);
  const rows = graph.add("Gather", [tensor, flat], { axis: 0 });
  return type === "float32" ? rows : graph.add("Cast", [rows], { to: ONNX_TYPES.float32 });
}

type HeadScope = LinearScope & Pick<GraphScope, "config" | "root">;

/** Logits that are finished row by row. */
export interface Head extends ScaledRows {
  /** @param scaled all of the rows, or one of them; @returns their logits */
  finish(scaled: ScaledRows): TensorName;
}

/** @param x [N, D] the stream after the final norm */
export function addHead(scope: HeadScope, x: TensorName, tensors: TensorNames): Head {
  const { vocabularySize, hiddenSize } = scope.config;
  const product = addHeadProduct(scope, x, findHead(scope, tensors), [vocabularySize, hiddenSize]);
  return { ...product, finish: (scaled) => addSoftcap(scope, scaleRows(scope.graph, scaled)) };
}

/**
 * A head that is stored is taken even where the config ties it to the embeddings: it holds the same values, or the
 * config is wrong, and transformers takes it too.
 */
function findHead({ weights, config, root }: HeadScope, { heads, embedding }: TensorNames): string {
  const stored = heads.find((head) => weights.has(`${head}.weight`));
  return stored ?? (config.tiedEmbeddings ? `${root}${embedding}` : (heads[0] as string));
}

function addSoftcap({ graph, config }: HeadScope, logits: TensorName): TensorName {
  if (config.logitSoftcap === null) return logits;
  const cap = graph.scalar(config.logitSoftcap);
  return graph.add("Mul", [graph.add("Tanh", [graph.add("Div", [logits, cap])]), cap]);
}
