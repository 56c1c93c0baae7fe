import {
  hadamard,
  INT4_BLOCK,
  quantiseBlocks,
  quantiseRows,
  rotateInputs,
  rotationSize,
} from "../../../math/quantise.ts";
import type { ModelDtype } from "../../runtime/device.ts";
import type { TensorName } from "../graph.ts";
import type {
  LinearFormat,
  LinearScope,
  LinearWeight,
  PairedRows,
  Quantisation,
  QuantisedRows,
} from "../graph-scope.ts";
import { scaleRows } from "./linear.ts";

/** By dtype; null computes in float32. */
export const QUANTISATIONS: Readonly<Record<ModelDtype, Quantisation | null>> = {
  float32: null,
  int8: { kind: "int8-hadamard", formatOf: () => INT8_LINEAR },
  // in four bits the head alone makes a quarter of the distance from the float32 model
  int4: { kind: "int4-int8-head", formatOf: ({ isHead }) => (isHead ? INT8_LINEAR : INT4_LINEAR) },
};

/**
 * x W^T with both sides in int8 and the sums in int32: codes [inSize, outSize] and scales [outSize]. Each row of x
 * gets a scale of its own, from its largest magnitude, so that a row's result does not depend on the rows beside it,
 * and integer sums are exact in any order.
 *
 * Both sides are rotated first, in blocks of inputs. Activations have a few inputs that are many times larger than the rest
 * and would take the scale for themselves; the rotation spreads them over their block, and the product stays the same.
 * @see Dettmers et al. 2022 (LLM.int8), section 2.1: vector-wise quantisation; Ashkboos et al. 2024 (QuaRot): rotation
 */
export const INT8_LINEAR: LinearFormat = {
  tensors: ({ name, outSize, inSize }) => [
    { name: `${name}.codes`, dtype: "I8", shape: [inSize, outSize] },
    { name: `${name}.scales`, dtype: "F32", shape: [outSize] },
  ],
  quantise(values, weight) {
    const matrix = { ...weight, transposed: weight.layout === "in-out" };
    const { codes, scales } = quantiseRows(rotateInputs(values, matrix, rotationOf(weight)), matrix);
    return [codes, scales];
  },
  add(scope, x, weight, [weightCodes, weightScales]) {
    const { graph } = scope;
    const { codes, scales } = quantiseActivation(scope, x.rows, weight);
    const rows = graph.add("MatMulIntegerToFloat", [
      codes,
      weightCodes as TensorName,
      graph.scalar(1),
      weightScales as TensorName,
      graph.byte(ZERO_POINT),
    ]);
    return { rows, scales: x.scales === null ? scales : graph.add("Mul", [scales, x.scales]) };
  },
};

/**
 * The residual stream has its large inputs in the same few places for every token, and takes wide blocks. Those of a
 * feed-forward network's second half lie here and there: blocks of half the width, which take half the time, do nearly as well.
 */
const rotationOf = ({ inSize, isDown }: LinearWeight): number => rotationSize(inSize, isDown ? 32 : 64);

/** Activations are unsigned around this: CPUs' integer kernels take unsigned times signed. */
const ZERO_POINT = 128;
/** Below any scale that matters; keeps a row of zeros from being divided by zero. */
const SMALLEST_SCALE = 1e-30;

/** Codes and scales of an activation's rotated rows, shared by all layers that use it. */
function quantiseActivation(scope: LinearScope, x: TensorName, weight: LinearWeight): QuantisedRows {
  const { graph, quantisedRows } = scope;
  return remember(quantisedRows, x, () => {
    const rotated = addRotation(scope, x, weight);
    const largest = graph.add("ReduceMax", [graph.add("Abs", [rotated]), graph.integers([-1])], {
      keepdims: 0,
    });
    const exact = graph.add("Mul", [largest, graph.scalar(1 / 127)]);
    const scale = graph.add("Max", [exact, graph.scalar(SMALLEST_SCALE)]);
    const zeroPoints = graph.add("Expand", [graph.byte(ZERO_POINT), graph.add("Shape", [scale])]);
    return {
      codes: graph.add("QuantizeLinear", [rotated, scale, zeroPoints], { axis: 0 }),
      scales: graph.add("Unsqueeze", [scale, graph.integers([-1])]),
    };
  });
}

/** Each block of a row's inputs, rotated. Several blocks a row: one vector would be multiplied by another kernel. */
function addRotation({ graph, rotations }: LinearScope, x: TensorName, weight: LinearWeight): TensorName {
  const size = rotationOf(weight);
  if (size === 1) return x;
  const rotation = remember(rotations, size, () => graph.constant(hadamard(size), [size, size]));
  const blocks = graph.add("Reshape", [x, graph.integers([-1, size])]);
  return graph.add("Reshape", [graph.add("MatMul", [blocks, rotation]), graph.integers([-1, weight.inSize])]);
}

function remember<Key, Value>(known: Map<Key, Value>, x: Key, make: () => Value): Value {
  const found = known.get(x) ?? make();
  known.set(x, found);
  return found;
}

/**
 * x W^T with the weights in blocks of 32 four-bit codes along the inputs, each block with a scale and an offset:
 * codes [outSize, blocks, 16], two a byte, the lower one first; scales [outSize, blocks]; offsets [blocks, outSize], which
 * are multiplied in float32 by the sums of x over each block. The operator rounds activations to eight bits, 32 at a
 * time, and sums every row in the same order however many rows there are, as long as no row is alone.
 */
export const INT4_LINEAR: LinearFormat = {
  tensors({ name, outSize, inSize }) {
    const blocks = Math.ceil(inSize / INT4_BLOCK);
    return [
      { name: `${name}.codes`, dtype: "U8", shape: [outSize, blocks, INT4_BLOCK / 2] },
      { name: `${name}.scales`, dtype: "F32", shape: [outSize, blocks] },
      { name: `${name}.offsets`, dtype: "F32", shape: [blocks, outSize] },
    ];
  },
  quantise(values, { outSize, inSize, layout }) {
    const { codes, scales, offsets } = quantiseBlocks(values, {
      outSize,
      inSize,
      transposed: layout === "in-out",
    });
    return [codes, scales, offsets];
  },
  add(scope, x, { outSize, inSize }, [codes, scales, offsets]) {
    const { graph } = scope;
    const { even, sums, count } = pairRows(scope, scaleRows(graph, x), inSize);
    const product = graph.add("MatMulNBits", [even, codes as TensorName, scales as TensorName], {
      K: inSize,
      N: outSize,
      bits: 4,
      block_size: INT4_BLOCK,
      accuracy_level: INT8_ACTIVATIONS,
    });
    const all = graph.add("Add", [product, graph.add("MatMul", [sums, offsets as TensorName])]);
    const rows = graph.add("Slice", [all, graph.integers([0]), count, graph.integers([0])]);
    return { rows, scales: null };
  },
};

/** Of MatMulNBits: activations in int8, which is the fast kernel, and the only one whose rows depend on so little. */
const INT8_ACTIVATIONS = 4;

/**
 * The rows of an activation with one of zeros behind them where their number is odd, the sums over their blocks, and
 * their number [1]; shared by all layers that read it. On AVX2 a single row is summed in another order than several,
 * and threads get 128 rows each, so that the 129th is single too.
 */
function pairRows({ graph, pairedRows }: LinearScope, x: TensorName, inSize: number): PairedRows {
  return remember(pairedRows, x, () => {
    const count = graph.add("Shape", [x], { start: 0, end: 1 });
    const missing = graph.add("Mod", [count, graph.integers([2])]);
    const none = graph.integers([0]);
    const even = graph.add("Pad", [x, graph.add("Concat", [none, none, missing, none], { axis: 0 })]);
    const short = -inSize & (INT4_BLOCK - 1);
    const whole = short === 0 ? even : graph.add("Pad", [even, graph.integers([0, 0, 0, short])]);
    const blocks = graph.add("Reshape", [whole, graph.integers([0, -1, INT4_BLOCK])]);
    return { even, sums: graph.add("ReduceSum", [blocks, graph.integers([2])], { keepdims: 0 }), count };
  });
}
