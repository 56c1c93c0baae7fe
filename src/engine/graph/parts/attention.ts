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
 * Causal attention of S new tokens in each of B rows, over three spans whose scores share one softmax: the **prefix** of
 * up to X tokens that the rows of a group have in common, kept once per group; each row's own **suffix** of up to T tokens;
 * and the **new** tokens themselves. The queries of a group's rows are gathered into its R slots, so that they meet their
 * prefix in one product, and what comes out goes back to the rows.
 * @returns [N, H * headSize]; writes the new keys and values [B, kvHeads, S, headSize] as graph outputs
 */
export function addAttention(scope: GraphScope, layer: number, { q, k, v }: Projections): TensorName {
  const { graph, config, shapes, cache } = scope;
  const newKeys = cache("new", layer, "k");
  const newValues = cache("new", layer, "v");
  addTokensLast(scope, graph.add("Reshape", [k, shapes.keyHeads]), newKeys);
  addTokensLast(scope, graph.add("Reshape", [v, shapes.keyHeads]), newValues);

  const { queries, scale } = addScaledQueries(scope, layer, q);
  const multiplyKeys = (rows: TensorName, keys: TensorName): TensorName =>
    addKeyProduct(scope, rows, keys, scale);
  const prefixScores = addPrefixScores(scope, layer, queries, multiplyKeys);
  const suffixScores = multiplyKeys(queries, cache("suffix", layer, "k"));
  const newScores = multiplyKeys(queries, newKeys);
  const scores = addMaskedScores(scope, layer, [prefixScores, suffixScores, newScores]);
  const weights = graph.add("Softmax", [scores], { axis: -1 });
  const [onPrefix, onSuffix, onNew] = [graph.fresh(), graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [weights, shapes.spans], [onPrefix, onSuffix, onNew], { axis: -1 });

  const fromOwn = graph.add("Add", [
    addValueProduct(scope, onSuffix, cache("suffix", layer, "v")),
    graph.add("MatMul", [onNew, newValues]),
  ]);
  const mixed = graph.add("Add", [addPrefixValues(scope, layer, onPrefix), fromOwn]);

  const group = config.headCount / config.kvHeadCount;
  const heads = graph.add("Reshape", [mixed, graph.integers([0, 0, group, -1, config.headSize])]);
  const byToken = graph.add("Transpose", [heads], { perm: [0, 3, 1, 2, 4] });
  return graph.add("Reshape", [byToken, graph.integers([-1, config.headCount * config.headSize])]);
}

/** [B, S, kvHeads, headSize] as [B, kvHeads, S, headSize]. */
function addTokensLast({ graph }: GraphScope, x: TensorName, output: TensorName): void {
  graph.addNamed("Transpose", [x], [output], { perm: [0, 2, 1, 3] });
}

/** @returns [B, kvHeads, G * S, X] */
function addPrefixScores(
  { graph, shapes, inputs, cache }: GraphScope,
  layer: number,
  queries: TensorName,
  multiplyKeys: (rows: TensorName, keys: TensorName) => TensorName,
): TensorName {
  const bundles = addReshape(graph, queries, shapes.queryBundles);
  const slots = graph.add("Gather", [bundles, inputs.slots], { axis: 0 });
  const scores = multiplyKeys(addReshape(graph, slots, shapes.slotQueries), cache("prefix", layer, "k"));
  const ofSlots = addReshape(graph, scores, shapes.slotScoreBundles);
  const ofRows = graph.add("Gather", [ofSlots, inputs.slotOfRow], { axis: 0 });
  return addReshape(graph, ofRows, shapes.prefixScores);
}

/** @param weights [B, kvHeads, G * S, X]; @returns [B, kvHeads, G * S, headSize] */
function addPrefixValues(scope: GraphScope, layer: number, weights: TensorName): TensorName {
  const { graph, shapes, inputs, cache } = scope;
  const bundles = addReshape(graph, weights, shapes.scoreBundles);
  const slots = graph.add("Gather", [bundles, inputs.slots], { axis: 0 });
  const folded = addReshape(graph, slots, shapes.slotScores);
  const mixed = addValueProduct(scope, folded, cache("prefix", layer, "v"));
  const ofSlots = addReshape(graph, mixed, shapes.slotQueryBundles);
  const ofRows = graph.add("Gather", [ofSlots, inputs.slotOfRow], { axis: 0 });
  return addReshape(graph, ofRows, shapes.grouped);
}

/** Takes a size of zero as it stands: a prefix may be empty. */
const addReshape = (graph: OnnxGraph, x: TensorName, shape: TensorName): TensorName =>
  graph.add("Reshape", [x, shape], { allowzero: 1 });

/** Queries [B, kvHeads, G * S, headSize], and what their products with keys are still to be multiplied by. */
function addScaledQueries(
  { graph, config, shapes, operators }: GraphScope,
  layer: number,
  q: TensorName,
): { readonly queries: TensorName; readonly scale: number } {
  const { attentionScale } = config.blocks[layer] as BlockSettings;
  const factor = attentionScale / (config.attentionSoftcap ?? 1);
  const split = graph.add("Reshape", [q, shapes.queryGroups]);
  const byHead = graph.add("Transpose", [split], { perm: [0, 2, 3, 1, 4] });
  const queries = graph.add("Reshape", [byHead, graph.integers([0, 0, -1, config.headSize])]);
  if (operators.fusedMatMul) return { queries, scale: factor };
  return { queries: graph.add("Mul", [queries, graph.scalar(factor)]), scale: 1 };
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
 * Joins the spans' scores [B, kvHeads, G * S, X | T | S], caps them where the config says so, and masks what may not
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
      graph.add("Add", [prefix, inputs.prefixMask]),
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
    slots,
    prefixKeys,
    suffixKeys,
  }: Readonly<Record<"positionIds" | "slots" | "prefixKeys" | "suffixKeys", TensorName>>,
): AttentionShapes {
  const group = headCount / kvHeadCount;
  const join = (...parts: TensorName[]): TensorName => graph.add("Concat", parts, { axis: 0 });
  const constant = (...values: number[]): TensorName => graph.integers(values);
  const multiply = (...factors: TensorName[]): TensorName =>
    factors.reduce((product, factor) => graph.add("Mul", [product, factor]));
  const dimensions = (tensor: TensorName, start: number, end: number): TensorName =>
    graph.add("Shape", [tensor], { start, end });

  const batch = dimensions(positionIds, 0, 2); // [B, S]
  const rows = dimensions(positionIds, 0, 1);
  const tokens = dimensions(positionIds, 1, 2);
  const groups = dimensions(slots, 0, 1);
  const slotsPerGroup = dimensions(slots, 2, 3); // R
  const prefix = dimensions(prefixKeys, 2, 3); // X
  const suffix = dimensions(suffixKeys, 2, 3); // T
  const [heads, size] = [constant(kvHeadCount), constant(headSize)];
  const queriesPerRow = multiply(tokens, constant(group)); // G * S
  const slotQueries = multiply(queriesPerRow, slotsPerGroup);
  const rowBundles = multiply(rows, heads);
  const slotBundles = multiply(groups, heads, slotsPerGroup);
  const queryBundle = multiply(queriesPerRow, size);
  const scoreBundle = multiply(queriesPerRow, prefix);
  return {
    queries: join(batch, constant(headCount * headSize)),
    keys: join(batch, constant(kvHeadCount * headSize)),
    queryGroups: join(batch, constant(kvHeadCount, group, headSize)),
    keyHeads: join(batch, constant(kvHeadCount, headSize)),
    grouped: join(rows, heads, queriesPerRow, size),
    prefixScores: join(rows, heads, queriesPerRow, prefix),
    queryBundles: join(rowBundles, queryBundle),
    scoreBundles: join(rowBundles, scoreBundle),
    slotQueries: join(groups, heads, slotQueries, size),
    slotScores: join(groups, heads, slotQueries, prefix),
    slotQueryBundles: join(slotBundles, queryBundle),
    slotScoreBundles: join(slotBundles, scoreBundle),
    spans: join(prefix, suffix, tokens),
  };
}
