import { INT4_BLOCK, quantiseBlocks, quantiseRows } from "../../../math/quantise.ts";
import type { ModelDtype } from "../../runtime/device.ts";
import type { TensorName } from "../graph.ts";
import type { LinearFormat, LinearScope, Quantisation } from "../graph-scope.ts";

/** By dtype; null computes in float32. */
export const QUANTISATIONS: Readonly<Record<ModelDtype, Quantisation | null>> = {
  float32: null,
  int8: { kind: "int8-rows", formatOf: () => INT8_LINEAR },
  // in four bits the head alone makes a quarter of the distance from the float32 model
  int4: { kind: "int4-blocks", formatOf: ({ isHead }) => (isHead ? INT8_LINEAR : INT4_LINEAR) },
};

/**
 * x W^T with both sides in int8 and the sums in int32: codes [inSize, outSize] and scales [outSize]. Each row of x
 * gets a scale of its own, from its largest magnitude, so that a row's result does not depend on the rows beside it,
 * and integer sums are exact in any order.
 * @see Dettmers et al. 2022 (LLM.int8), section 2.1: vector-wise quantisation
 */
export const INT8_LINEAR: LinearFormat = {
  tensors: ({ name, outSize, inSize }) => [
    { name: `${name}.codes`, dtype: "I8", shape: [inSize, outSize] },
    { name: `${name}.scales`, dtype: "F32", shape: [outSize] },
  ],
  quantise(values, { outSize, inSize, layout }) {
    const { codes, scales } = quantiseRows(values, { outSize, inSize, transposed: layout === "in-out" });
    return [codes, scales];
  },
  add(scope, x, _weight, [codes, scales]) {
    const { graph } = scope;
    const rows = quantiseRowsOf(scope, x);
    const product = graph.add("MatMulIntegerToFloat", [
      rows.codes,
      codes as TensorName,
      graph.scalar(1),
      scales as TensorName,
      graph.byte(ZERO_POINT),
    ]);
    return graph.add("Mul", [product, rows.scales]);
  },
};

/** Activations are unsigned around this: CPUs' integer kernels take unsigned times signed. */
const ZERO_POINT = 128;
/** Below any scale that matters; keeps a row of zeros from being divided by zero. */
const SMALLEST_SCALE = 1e-30;

/** [N, inSize] codes and [N, 1] scales of an activation, shared by all layers that read it. */
function quantiseRowsOf(
  { graph, quantisedRows }: LinearScope,
  x: TensorName,
): { readonly codes: TensorName; readonly scales: TensorName } {
  const known = quantisedRows.get(x);
  if (known !== undefined) return known;
  const lastAxis = graph.integers([-1]);
  const largest = graph.add("ReduceMax", [graph.add("Abs", [x]), lastAxis], { keepdims: 0 });
  const exact = graph.add("Mul", [largest, graph.scalar(1 / 127)]);
  const scale = graph.add("Max", [exact, graph.scalar(SMALLEST_SCALE)]);
  const zeroPoints = graph.add("Expand", [graph.byte(ZERO_POINT), graph.add("Shape", [scale])]);
  const codes = graph.add("QuantizeLinear", [x, scale, zeroPoints], { axis: 0 });
  const rows = { codes, scales: graph.add("Unsqueeze", [scale, lastAxis]) };
  quantisedRows.set(x, rows);
  return rows;
}

/**
 * x W^T with the weights in blocks of 32 four-bit codes along the inputs, each block with a scale and a zero point:
 * codes [outSize, blocks, 16], scales [outSize, blocks], zero points [outSize, ceil(blocks / 2)], two codes a byte, the
 * lower one first. The operator rounds activations to eight bits, 32 at a time, and sums every row in the same order
 * however many rows there are, as long as no row is alone.
 */
export const INT4_LINEAR: LinearFormat = {
  tensors({ name, outSize, inSize }) {
    const blocks = Math.ceil(inSize / INT4_BLOCK);
    return [
      { name: `${name}.codes`, dtype: "U8", shape: [outSize, blocks, INT4_BLOCK / 2] },
      { name: `${name}.scales`, dtype: "F32", shape: [outSize, blocks] },
      { name: `${name}.zero_points`, dtype: "U8", shape: [outSize, Math.ceil(blocks / 2)] },
    ];
  },
  quantise(values, { outSize, inSize, layout }) {
    const { codes, scales, zeroPoints } = quantiseBlocks(values, {
      outSize,
      inSize,
      transposed: layout === "in-out",
    });
    return [codes, scales, zeroPoints];
  },
  add(scope, x, { outSize, inSize }, parts) {
    const { graph } = scope;
    const { even, count } = pairRows(scope, x);
    const product = graph.add("MatMulNBits", [even, ...(parts as TensorName[])], {
      K: inSize,
      N: outSize,
      bits: 4,
      block_size: INT4_BLOCK,
      accuracy_level: INT8_ACTIVATIONS,
    });
    return graph.add("Slice", [product, graph.integers([0]), count, graph.integers([0])]);
  },
};

/** Of MatMulNBits: activations in int8, which is the fast kernel, and the only one whose rows depend on so little. */
const INT8_ACTIVATIONS = 4;

/**
 * The rows of an activation with one of zeros behind them where their number is odd, and their number [1]; shared by
 * all layers that read it. On AVX2 a single row is summed in another order than several, and threads get 128 rows each,
 * so that the 129th is single too.
 */
function pairRows(
  { graph, pairedRows }: LinearScope,
  x: TensorName,
): { readonly even: TensorName; readonly count: TensorName } {
  const known = pairedRows.get(x);
  if (known !== undefined) return known;
  const count = graph.add("Shape", [x], { start: 0, end: 1 });
  const missing = graph.add("Mod", [count, graph.integers([2])]);
  const none = graph.integers([0]);
  const pads = graph.add("Concat", [none, none, missing, none], { axis: 0 });
  const rows = { even: graph.add("Pad", [x, pads]), count };
  pairedRows.set(x, rows);
  return rows;
}
