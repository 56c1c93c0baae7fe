import type { OnnxGraph, TensorName } from "../graph.ts";
import type { GraphScope, LinearScope, LinearWeight, ScaledRows } from "../graph-scope.ts";
import { addHeadNorm, addNorm } from "./residual-block.ts";

/** How a weight lies in the checkpoint: `out-in` as PyTorch's Linear has it, `in-out` as GPT-2's Conv1D. */
export interface LinearLayout {
  readonly layout?: "out-in" | "in-out";
}

interface LinearOptions extends LinearLayout {
  readonly bias?: boolean;
  /** In float32 also where the model is quantised: for layers that are small. */
  readonly exact?: boolean;
  /** @see LinearWeight */
  readonly isDown?: boolean;
}

/**
 * x W^T (+ b).
 * @param x [N, inSize]
 * @param name of the weight without `.weight`; a bias is `.bias` beside it
 * @returns [N, outSize]
 */
export function addLinear(
  scope: LinearScope,
  x: TensorName,
  name: string,
  sizes: readonly [outSize: number, inSize: number],
  options: LinearOptions = {},
): TensorName {
  return scaleRows(scope.graph, addScaledLinear(scope, unscaled(x), name, sizes, options));
}

/** As {@link addLinear}, with rows that may still have to be scaled: what comes next may do so at less cost. */
export function addScaledLinear(
  scope: LinearScope,
  x: ScaledRows,
  name: string,
  [outSize, inSize]: readonly [outSize: number, inSize: number],
  { layout = "out-in", bias = false, exact = false, isDown = false }: LinearOptions = {},
): ScaledRows {
  const { graph, weights } = scope;
  const weight = { name: `${name}.weight`, outSize, inSize, layout, isHead: false, isDown };
  const quantised = exact ? null : addQuantised(scope, x, weight);
  const addBias = (): TensorName => weights.float32(`${name}.bias`, [outSize]);
  if (quantised === null) return unscaled(addGemm(scope, x, weight, bias ? [addBias()] : []));
  if (!bias) return quantised;
  return unscaled(graph.add("Add", [scaleRows(graph, quantised), addBias()]));
}

/** Rows that are what they should be. */
export const unscaled = (rows: TensorName): ScaledRows => ({ rows, scales: null });

/** Logits, x W^T, whose rows may still have to be scaled. @param x [N, inSize] */
export function addHeadProduct(
  scope: LinearScope,
  x: TensorName,
  name: string,
  [outSize, inSize]: readonly [outSize: number, inSize: number],
): ScaledRows {
  const form = { layout: "out-in", isHead: true, isDown: false } as const;
  const weight = { name: `${name}.weight`, outSize, inSize, ...form };
  const stream = unscaled(x);
  return addQuantised(scope, stream, weight) ?? unscaled(addGemm(scope, stream, weight, []));
}

/** @param scaled all rows, or one of them; @returns its rows, scaled */
export const scaleRows = (graph: OnnxGraph, { rows, scales }: ScaledRows): TensorName =>
  scales === null ? rows : graph.add("Mul", [rows, scales]);

/** null where the model is computed in float32 */
function addQuantised(scope: LinearScope, x: ScaledRows, weight: LinearWeight): ScaledRows | null {
  scope.linears.push(weight);
  const quantised = scope.weights.quantised(weight);
  return quantised === null ? null : quantised.format.add(scope, x, weight, quantised.parts);
}

function addGemm(
  { graph, weights }: LinearScope,
  x: ScaledRows,
  { name, outSize, inSize, layout }: LinearWeight,
  bias: readonly TensorName[],
): TensorName {
  const rows = scaleRows(graph, x);
  const transposed = layout === "out-in";
  const shape = transposed ? [outSize, inSize] : [inSize, outSize];
  return graph.add("Gemm", [rows, weights.float32(name, shape), ...bias], transposed ? { transB: 1 } : {});
}

/** Queries, keys and values before the rotation: any shapes that hold their numbers in token order. */
export interface Projections {
  readonly q: TensorName;
  readonly k: TensorName;
  readonly v: TensorName;
}

/** @param x [N, D]; @param prefix of the attention's weights, e.g. `model.layers.0.self_attn` */
export type Project = (scope: GraphScope, x: TensorName, prefix: string) => Projections;

/** One weight each (Llama, Mistral, Qwen2, Gemma 2). */
export function addProjections(scope: GraphScope, x: TensorName, prefix: string): Projections {
  const { hiddenSize, headCount, kvHeadCount, headSize, biases } = scope.config;
  const project = (name: string, heads: number): TensorName =>
    addLinear(scope, x, `${prefix}.${name}`, [heads * headSize, hiddenSize], { bias: biases.queryKeyValue });
  return {
    q: project("q_proj", headCount),
    k: project("k_proj", kvHeadCount),
    v: project("v_proj", kvHeadCount),
  };
}

/** One weight each, and a norm of every query and key head (Qwen3, Gemma 3). */
export function addNormedHeadProjections(scope: GraphScope, x: TensorName, prefix: string): Projections {
  const { q, k, v } = addProjections(scope, x, prefix);
  return {
    q: addHeadNorm(scope, q, `${prefix}.q_norm`),
    k: addHeadNorm(scope, k, `${prefix}.k_norm`),
    v,
  };
}

/** One weight each, and one norm over all query heads and one over all key heads (OLMo 2). */
export function addNormedProjections(scope: GraphScope, x: TensorName, prefix: string): Projections {
  const { headCount, kvHeadCount, headSize } = scope.config;
  const { q, k, v } = addProjections(scope, x, prefix);
  return {
    q: addNorm(scope, q, `${prefix}.q_norm`, headCount * headSize),
    k: addNorm(scope, k, `${prefix}.k_norm`, kvHeadCount * headSize),
    v,
  };
}

/** One weight for all: first every query head, then every key head, then every value head (GPT-2, Phi-3). */
export function addFusedProjections(
  scope: GraphScope,
  x: TensorName,
  name: string,
  layout: LinearLayout = {},
): Projections {
  const { graph, config } = scope;
  const sizes = [config.headCount, config.kvHeadCount, config.kvHeadCount].map(
    (heads) => heads * config.headSize,
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const options = { ...layout, bias: config.biases.queryKeyValue };
  const all = addLinear(scope, x, name, [total, config.hiddenSize], options);
  const [q, k, v] = [graph.fresh(), graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [all, graph.integers(sizes)], [q, k, v], { axis: -1 });
  return { q, k, v };
}

/** One weight for all, in which query, key and value of one head stand together (GPT-NeoX). */
export function addInterleavedProjections(scope: GraphScope, x: TensorName, name: string): Projections {
  const { graph, config } = scope;
  const { headCount, headSize, hiddenSize, biases } = config;
  const all = addLinear(scope, x, name, [3 * headCount * headSize, hiddenSize], {
    bias: biases.queryKeyValue,
  });
  const heads = graph.add("Reshape", [all, graph.integers([-1, headCount, 3, headSize])]);
  const [q, k, v] = [graph.fresh(), graph.fresh(), graph.fresh()];
  graph.addNamed("Split", [heads], [q, k, v], { axis: 2, num_outputs: 3 });
  return { q, k, v };
}
