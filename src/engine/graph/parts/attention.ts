import { eachSpan, maskKindOf, SHARED_SPANS, type SharedSpan } from "../attention-masks.ts";
import type { BlockSettings, DecoderConfig } from "../decoder-config.ts";
import type { OnnxGraph, TensorName } from "../graph.ts";
import type { AttentionShapes, GraphScope, RopeTables, SharedShapes } from "../graph-scope.ts";
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
 * Causal attention of S new tokens in each of B rows, over spans whose scores share one softmax: what rows have in
 * **common**, up to C tokens with which many prompts begin, and the **prefix**, up to X tokens that one prompt has behind
 * them, each kept once per group of rows; each row's own **suffix** of up to T tokens; and the **new** tokens themselves. The
 * queries of a group's rows are gathered into its R slots, so that they meet what they share in one product, and what comes
 * out goes back to the rows.
 *
 * A row's own spans are multiplied one head at a time: onnxruntime multiplies a vector by a matrix where it lies, but copies
 * a matrix that meets several vectors first, which takes longer than the product with a few. Zeros stand behind
 * the prefix and the suffix, so that a capacity that grows moves no number to another lane of the vectors that sum them.
 * @returns [N, H * headSize]; writes the new keys and values [B, kvHeads, S, headSize] as graph outputs
 */
export function addAttention(scope: GraphScope, layer: number, { q, k, v }: Projections): TensorName {
  const { graph, config, shapes, cache } = scope;
  const newKeys = cache("new", layer, "k");
  const newValues = cache("new", layer, "v");
  const keys = graph.add("Reshape", [addScale(scope, layer, k), shapes.keyHeads]);
  graph.addNamed("Transpose", [keys], [newKeys], { perm: [0, 2, 1, 3] });
  const values = graph.add("Reshape", [v, shapes.keyHeads]);
  graph.addNamed("Transpose", [values], [newValues], { perm: [0, 2, 1, 3] });
  const split = graph.add("Reshape", [q, shapes.queryGroups]);
  const queries = graph.add("Transpose", [split], { perm: [0, 2, 3, 1, 4] });

  const scores = addMaskedScores(scope, layer, [
    ...SHARED_SPANS.map((span) => addSharedScores(scope, layer, span, queries)),
    shapes.filling.gap,
    addNewScores(scope, queries, newKeys),
    addKeyProduct(scope, queries, cache("suffix", layer, "k"), 5),
    shapes.filling.padding,
  ]);
  const weights = graph.add("Softmax", [scores], { axis: -1 });
  const onShared = eachSpan(() => graph.fresh());
  const [onNew, onSuffix] = [graph.fresh(), graph.fresh()];
  const parts = [onShared.common, onShared.prefix, graph.fresh(), onNew, onSuffix, graph.fresh()];
  graph.addNamed("Split", [weights, shapes.spans], parts, { axis: -1 });

  const fromOwn = graph.add("Add", [
    addValueProduct(scope, onSuffix, cache("suffix", layer, "v")),
    addNewValues(scope, onNew, newValues),
  ]);
  const mixed = SHARED_SPANS.reduce(
    (sum, span) => graph.add("Add", [addSharedValues(scope, layer, span, onShared[span]), sum]),
    fromOwn,
  );
  const byToken = graph.add("Transpose", [mixed], { perm: [0, 3, 1, 2, 4] });
  return graph.add("Reshape", [byToken, graph.integers([-1, config.headCount * config.headSize])]);
}

/** Keys times what their products with queries are to be multiplied by: there are fewer of them than queries. */
function addScale({ graph, config }: GraphScope, layer: number, keys: TensorName): TensorName {
  const { attentionScale } = config.blocks[layer] as BlockSettings;
  return graph.add("Mul", [keys, graph.scalar(attentionScale / (config.attentionSoftcap ?? 1))]);
}

/** @param queries [B, kvHeads, G, S, headSize]; @returns [B, kvHeads, G, S, X] */
function addSharedScores(
  scope: GraphScope,
  layer: number,
  span: SharedSpan,
  queries: TensorName,
): TensorName {
  const { graph, shapes, inputs, cache } = scope;
  const own = shapes.shared[span];
  const bundles = addReshape(graph, queries, shapes.queryBundles);
  const slots = graph.add("Gather", [bundles, inputs.slots[span]], { axis: 0 });
  const folded = addReshape(graph, slots, own.slotQueries);
  const scores = addKeyProduct(scope, folded, cache(span, layer, "k"), 4);
  const ofSlots = addReshape(graph, scores, own.slotScoreBundles);
  const ofRows = graph.add("Gather", [ofSlots, inputs.slotOfRow[span]], { axis: 0 });
  return addReshape(graph, ofRows, own.scores);
}

/** @param weights [B, kvHeads, G, S, X]; @returns [B, kvHeads, G, S, headSize] */
function addSharedValues(
  scope: GraphScope,
  layer: number,
  span: SharedSpan,
  weights: TensorName,
): TensorName {
  const { graph, shapes, inputs, cache } = scope;
  const own = shapes.shared[span];
  const bundles = addReshape(graph, weights, own.scoreBundles);
  const slots = graph.add("Gather", [bundles, inputs.slots[span]], { axis: 0 });
  const folded = addReshape(graph, slots, own.slotScores);
  const mixed = addValueProduct(scope, folded, cache(span, layer, "v"));
  const ofSlots = addReshape(graph, mixed, own.slotQueryBundles);
  const ofRows = graph.add("Gather", [ofSlots, inputs.slotOfRow[span]], { axis: 0 });
  return addReshape(graph, ofRows, shapes.grouped);
}

/** @param queries [B, kvHeads, G, S, headSize]; @param keys [B, kvHeads, S, headSize]; @returns [B, kvHeads, G, S, S] */
function addNewScores(scope: GraphScope, queries: TensorName, keys: TensorName): TensorName {
  const { graph, shapes } = scope;
  const folded = addReshape(graph, queries, shapes.headQueries);
  return addReshape(graph, addKeyProduct(scope, folded, keys, 4), shapes.newScores);
}

/** @param weights [B, kvHeads, G, S, S]; @param values [B, kvHeads, S, headSize]; @returns [B, kvHeads, G, S, headSize] */
function addNewValues({ graph, shapes }: GraphScope, weights: TensorName, values: TensorName): TensorName {
  const folded = addReshape(graph, weights, shapes.headScores);
  return addReshape(graph, graph.add("MatMul", [folded, values]), shapes.grouped);
}

/** Takes a size of zero as it stands: a prefix may be empty. */
const addReshape = (graph: OnnxGraph, x: TensorName, shape: TensorName): TensorName =>
  graph.add("Reshape", [x, shape], { allowzero: 1 });

/**
 * queries keys^T. A factor would cost vectors their own kernel: keys come scaled.
 * @param rank of both
 */
function addKeyProduct(
  { graph, operators }: GraphScope,
  queries: TensorName,
  keys: TensorName,
  rank: 4 | 5,
): TensorName {
  if (operators.fusedMatMul) return graph.add("FusedMatMul", [queries, keys], { transB: 1 });
  const perm = rank === 4 ? [0, 1, 3, 2] : [0, 1, 2, 4, 3];
  return graph.add("MatMul", [queries, graph.add("Transpose", [keys], { perm })]);
}

/**
 * How far below the largest score of its row a score is at most; a weight of e^-70 changes no sum. A masked token's would
 * otherwise be a subnormal number, with which Intel's CPUs compute several times more slowly.
 */
const LEAST_SCORE = -70;

/** Joins scores, each [B, kvHeads, G, S, tokens of a span], caps them where the config says so, and masks them. */
function addMaskedScores(
  { graph, config, inputs }: GraphScope,
  layer: number,
  spans: readonly TensorName[],
): TensorName {
  let scores = graph.add("Concat", spans, { axis: -1 });
  if (config.attentionSoftcap !== null) {
    // the scores come divided by the cap
    scores = graph.add("Mul", [graph.add("Tanh", [scores]), graph.scalar(config.attentionSoftcap)]);
  }
  const masked = graph.add("Add", [scores, inputs.mask(maskKindOf(config, layer))]);
  const most = graph.add("ReduceMax", [masked, graph.integers([-1])], { keepdims: 1 });
  return graph.add("Max", [masked, graph.add("Add", [most, graph.scalar(LEAST_SCORE)])]);
}

/** weights x values over a span that may be empty; with a token of zeros behind it where the device needs one. */
function addValueProduct(
  { graph, operators }: GraphScope,
  weights: TensorName,
  values: TensorName,
): TensorName {
  if (operators.emptyMatMul) return graph.add("MatMul", [weights, values]);
  const pad = (x: TensorName, axis: number): TensorName =>
    graph.add("Pad", [x, graph.integers([0, 1]), "", graph.integers([axis])]);
  return graph.add("MatMul", [pad(weights, -1), pad(values, -2)]);
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

/** The shape vectors that the attention needs, and its zeros, computed from one run's inputs. */
export function addAttentionShapes(
  graph: OnnxGraph,
  { headCount, kvHeadCount, headSize }: DecoderConfig,
  {
    positionIds,
    slots,
    sharedKeys,
    suffixKeys,
    gap,
    mask,
  }: Readonly<Record<"positionIds" | "suffixKeys" | "gap" | "mask", TensorName>> &
    Readonly<Record<"slots" | "sharedKeys", Readonly<Record<SharedSpan, TensorName>>>>,
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
  const capacities = eachSpan((span) => dimensions(sharedKeys[span], 2, 3)); // C, X
  const suffix = dimensions(suffixKeys, 3, 4); // T
  const unpadded = [capacities.prefix, gap, tokens, suffix].reduce(
    (sum, span) => graph.add("Add", [sum, span]),
    capacities.common,
  );
  const padding = graph.add("Sub", [dimensions(mask, 4, 5), unpadded]); // P
  const [heads, size] = [constant(kvHeadCount), constant(headSize)];
  const queriesPerRow = multiply(tokens, constant(group)); // G * S
  const rowBundles = multiply(rows, heads);
  const queryBundle = multiply(queriesPerRow, size);
  const shared = eachSpan((span): SharedShapes => {
    const groups = dimensions(slots[span], 0, 1);
    const slotsPerGroup = dimensions(slots[span], 2, 3); // R
    const slotQueries = multiply(queriesPerRow, slotsPerGroup);
    const slotBundles = multiply(groups, heads, slotsPerGroup);
    const scoreBundle = multiply(queriesPerRow, capacities[span]);
    return {
      scores: join(rows, heads, constant(group), tokens, capacities[span]),
      scoreBundles: join(rowBundles, scoreBundle),
      slotQueries: join(groups, heads, slotQueries, size),
      slotScores: join(groups, heads, slotQueries, capacities[span]),
      slotQueryBundles: join(slotBundles, queryBundle),
      slotScoreBundles: join(slotBundles, scoreBundle),
    };
  });
  const zeros = join(rows, heads, constant(group), tokens, graph.add("Add", [gap, padding]));
  const filling = { gap: graph.fresh(), padding: graph.fresh() };
  graph.addNamed(
    "Split",
    [graph.add("Expand", [graph.scalar(0), zeros]), join(gap, padding)],
    [filling.gap, filling.padding],
    { axis: -1 },
  );
  return {
    queries: join(batch, constant(headCount * headSize)),
    keys: join(batch, constant(kvHeadCount * headSize)),
    queryGroups: join(batch, constant(kvHeadCount, group, headSize)),
    keyHeads: join(batch, constant(kvHeadCount, headSize)),
    grouped: join(rows, heads, constant(group), tokens, size),
    headQueries: join(rows, heads, queriesPerRow, size),
    headScores: join(rows, heads, queriesPerRow, tokens),
    newScores: join(rows, heads, constant(group), tokens, tokens),
    queryBundles: join(rowBundles, queryBundle),
    shared,
    spans: join(capacities.common, capacities.prefix, gap, tokens, suffix, padding),
    filling,
  };
}
