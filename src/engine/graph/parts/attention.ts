import { maskKindOf } from "../attention-masks.ts";
import type { BlockSettings, DecoderConfig } from "../decoder-config.ts";
import type { OnnxGraph, TensorName } from "../graph.ts";
import type { AttentionShapes, GraphScope, RopeTables } from "../graph-scope.ts";
import { type RopeSettings, rotaryPairs } from "../rope.ts";
import { addLinear, type LinearLayout, type Projections } from "./linear.ts";

/**
 * Rotation, attention and output projection of one block.
 * @param output name of the output projection's weight
 * @returns [N, D]
 */
export function addSelfAttention(
  scope: GraphScope,
  layer: number,
  { q, k, v }: Projections,
  output: string,
  layout: LinearLayout = {},
): TensorName {
  const { hiddenSize, headCount, headSize, biases } = scope.config;
  const mixed = addAttention(scope, layer, {
    q: addRotary(scope, layer, q, "queries"),
    k: addRotary(scope, layer, k, "keys"),
    v,
  });
  const options = { ...layout, bias: biases.attentionOutput };
  return addLinear(scope, mixed, output, [hiddenSize, headCount * headSize], options);
}

/**
 * Causal attention of S new tokens in each of B rows, over three spans whose scores share one softmax:
 * the **prefix** of X tokens that all rows have in common (kept once), each row's own **suffix** of T tokens,
 * and the **new** tokens themselves. Key/value heads come first in every layout, so that folding all rows'
 * queries into one product with the shared prefix is a reshape and no copy.
 * @returns [N, H * headSize]; writes the new keys and values [kvHeads, B, S, headSize] as graph outputs
 */
export function addAttention(scope: GraphScope, layer: number, { q, k, v }: Projections): TensorName {
  const { graph, config, shapes, cache } = scope;
  const { kvHeadCount, headSize } = config;
  const group = config.headCount / kvHeadCount;

  const { queries, scale } = addScaledQueries(scope, layer, q);
  const multiplyKeys = (rows: TensorName, keys: TensorName): TensorName =>
    addKeyProduct(scope, rows, keys, scale);
  const newKeys = cache("new", layer, "k");
  const newValues = cache("new", layer, "v");
  const keyHeads = graph.add("Reshape", [k, shapes.keyHeads]);
  graph.addNamed("Transpose", [keyHeads], [newKeys], { perm: [2, 0, 1, 3] });
  const valueHeads = graph.add("Reshape", [v, shapes.keyHeads]);
  graph.addNamed("Transpose", [valueHeads], [newValues], { perm: [2, 0, 1, 3] });

  const folded = graph.add("Reshape", [queries, graph.integers([0, 1, -1, headSize])]);
  const foldedScores = multiplyKeys(folded, cache("prefix", layer, "k"));
  const prefixScores = graph.add("Reshape", [foldedScores, shapes.prefixScores]);
  const suffixScores = multiplyKeys(queries, cache("suffix", layer, "k"));
  const newScores = multiplyKeys(queries, newKeys);
  const scores = addMaskedScores(scope, layer, [prefixScores, suffixScores, newScores]);
  const weights = graph.add("Softmax", [scores], { axis: -1 });
  const [onPrefix, onSuffix, onNew] = [graph.fresh(), graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [weights, shapes.spans], [onPrefix, onSuffix, onNew], { axis: -1 });

  const foldedWeights = graph.add("Reshape", [onPrefix, shapes.foldedPrefixScores]);
  const prefixValues = cache("prefix", layer, "v");
  const fromPrefix =
    group === 1
      ? addPaddedProduct(scope, foldedWeights, prefixValues)
      : addValueProduct(scope, foldedWeights, prefixValues);
  const fromOwn = graph.add("Add", [
    addValueProduct(scope, onSuffix, cache("suffix", layer, "v")),
    graph.add("MatMul", [onNew, newValues]),
  ]);
  const mixed = graph.add("Add", [graph.add("Reshape", [fromPrefix, shapes.grouped]), fromOwn]);

  const heads = graph.add("Reshape", [mixed, graph.integers([0, 0, group, -1, headSize])]);
  const byToken = graph.add("Transpose", [heads], { perm: [1, 3, 0, 2, 4] });
  return graph.add("Reshape", [byToken, graph.integers([-1, config.headCount * headSize])]);
}

/** Queries [kvHeads, B, G * S, headSize], and what their products with keys are still to be multiplied by. */
function addScaledQueries(
  { graph, config, shapes, operators }: GraphScope,
  layer: number,
  q: TensorName,
): { readonly queries: TensorName; readonly scale: number } {
  const { attentionScale } = config.blocks[layer] as BlockSettings;
  const factor = attentionScale / (config.attentionSoftcap ?? 1);
  const split = graph.add("Reshape", [q, shapes.queryGroups]);
  const byHead = graph.add("Transpose", [split], { perm: [2, 0, 3, 1, 4] });
  const queries = graph.add("Reshape", [byHead, graph.integers([0, 0, -1, config.headSize])]);
  const scaled = (by: number): TensorName => graph.add("Mul", [queries, graph.scalar(by)]);
  if (!operators.fusedMatMul) return { queries: scaled(factor), scale: 1 };
  // With a factor of 1 onnxruntime multiplies a single row by another kernel than two or more, see addPaddedProduct;
  // doubling and halving is exact.
  return factor === 1 ? { queries: scaled(2), scale: 0.5 } : { queries, scale: factor };
}

/** scale x queries keys^T; scale is 1 if there is no operator that takes it along. */
function addKeyProduct(
  { graph, operators }: GraphScope,
  queries: TensorName,
  keys: TensorName,
  scale: number,
): TensorName {
  if (operators.fusedMatMul) {
    return graph.add("FusedMatMul", [queries, keys], { alpha: { float: scale }, transB: 1 });
  }
  return graph.add("MatMul", [queries, graph.add("Transpose", [keys], { perm: [0, 1, 3, 2] })]);
}

/**
 * Joins the spans' scores [kvHeads, B, G * S, X | T | S], caps them where the config says so, and masks what may not
 * be seen.
 */
function addMaskedScores(
  { graph, config, inputs }: GraphScope,
  layer: number,
  [prefix, suffix, fresh]: readonly [TensorName, TensorName, TensorName],
): TensorName {
  const join = (...spans: TensorName[]): TensorName => graph.add("Concat", spans, { axis: -1 });
  const kind = maskKindOf(config, layer);
  if (kind === "spans") {
    return join(
      prefix,
      graph.add("Add", [suffix, inputs.suffixMask]),
      graph.add("Add", [fresh, inputs.newMask]),
    );
  }
  let scores = join(prefix, suffix, fresh);
  if (config.attentionSoftcap !== null) {
    // the scores come divided by the cap
    scores = graph.add("Mul", [graph.add("Tanh", [scores]), graph.scalar(config.attentionSoftcap)]);
  }
  return graph.add("Add", [scores, inputs.wholeMask(kind)]);
}

/** weights x values over a span that may be empty; with a token of zeros behind it where the device needs one. */
function addValueProduct(
  { graph, operators }: GraphScope,
  weights: TensorName,
  values: TensorName,
): TensorName {
  if (operators.emptyMatMul) return graph.add("MatMul", [weights, values]);
  return graph.add("MatMul", [
    graph.add("Pad", [weights, graph.integers([0, 0, 0, 0, 0, 0, 0, 1])]),
    graph.add("Pad", [values, graph.integers([0, 0, 0, 0, 0, 0, 1, 0])]),
  ]);
}

/**
 * weights x values with a row of zeros below the weights. onnxruntime multiplies a single row by another kernel,
 * with another rounding, than two or more; without the padding, a sample that is alone in its batch would differ
 * in its last bits from the same sample beside others.
 */
function addPaddedProduct(scope: GraphScope, weights: TensorName, values: TensorName): TensorName {
  const { graph } = scope;
  const padded = graph.add("Pad", [weights, graph.integers([0, 0, 0, 0, 0, 0, 1, 0])]);
  const product = addValueProduct(scope, padded, values);
  return graph.add("Slice", [product, graph.integers([0]), graph.integers([-1]), graph.integers([2])]);
}

/**
 * Rotary position embedding of a block's queries or keys, first half of the rotated numbers against their second half
 * (Hugging Face's layout). Blocks without rotation get x back.
 * @param x any shape that holds B * S * heads * headSize numbers in token order
 * @returns the same numbers in token order
 * @see Su et al. 2021, eq. 34
 */
function addRotary(
  { graph, inputs, shapes, config }: GraphScope,
  layer: number,
  x: TensorName,
  kind: "queries" | "keys",
): TensorName {
  const { rope } = config.blocks[layer] as BlockSettings;
  if (rope === null) return x;
  const tables = inputs.ropes[rope] as RopeTables;
  const rotated = 2 * rotaryPairs(config.ropes[rope] as RopeSettings);
  const sequences = graph.add("Reshape", [x, shapes[kind]]);
  return graph.add("RotaryEmbedding", [sequences, inputs.positionIds, tables.cos, tables.sin], {
    num_heads: kind === "queries" ? config.headCount : config.kvHeadCount,
    ...(rotated === config.headSize ? {} : { rotary_embedding_dim: rotated }),
  });
}

/** The shape vectors that the attention needs, computed from one run's inputs. */
export function addAttentionShapes(
  graph: OnnxGraph,
  { headCount, kvHeadCount, headSize }: DecoderConfig,
  {
    positionIds,
    prefixKeys,
    suffixKeys,
  }: { readonly positionIds: TensorName; readonly prefixKeys: TensorName; readonly suffixKeys: TensorName },
): AttentionShapes {
  const group = headCount / kvHeadCount;
  const join = (...parts: TensorName[]): TensorName => graph.add("Concat", parts, { axis: 0 });
  const constant = (...values: number[]): TensorName => graph.integers(values);
  const dimensions = (tensor: TensorName, start: number, end: number): TensorName =>
    graph.add("Shape", [tensor], { start, end });

  const batch = dimensions(positionIds, 0, 2); // [B, S]
  const rows = dimensions(positionIds, 0, 1);
  const tokens = dimensions(positionIds, 1, 2);
  const prefixLength = dimensions(prefixKeys, 2, 3);
  const suffixCapacity = dimensions(suffixKeys, 2, 3);
  const queriesPerRow = graph.add("Mul", [tokens, constant(group)]);
  const queriesOfAll = graph.add("Mul", [queriesPerRow, rows]);
  return {
    queries: join(batch, constant(headCount * headSize)),
    keys: join(batch, constant(kvHeadCount * headSize)),
    queryGroups: join(batch, constant(kvHeadCount, group, headSize)),
    keyHeads: join(batch, constant(kvHeadCount, headSize)),
    grouped: join(constant(kvHeadCount), rows, queriesPerRow, constant(headSize)),
    prefixScores: join(constant(kvHeadCount), rows, queriesPerRow, prefixLength),
    foldedPrefixScores: join(constant(kvHeadCount, 1), queriesOfAll, prefixLength),
    spans: join(prefixLength, suffixCapacity, tokens),
  };
}
