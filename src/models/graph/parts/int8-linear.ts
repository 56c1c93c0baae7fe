import type { TensorName } from "../../../onnx/graph.ts";
import type { LinearScope } from "../graph-scope.ts";

/** A linear map's weight as int8 codes and scales, stored beside the checkpoint's own. */
export interface Int8Weight {
  /** [inSize, outSize] int8 */
  readonly codes: TensorName;
  /** [outSize] float32 */
  readonly scales: TensorName;
}

/**
 * x W^T with both sides in int8 and the sums in int32. Each row of x gets a scale of its own, from its largest
 * magnitude, so that a row's result does not depend on the rows beside it, and integer sums are exact in any order.
 * @param x [N, inSize] float32
 * @returns [N, outSize] float32
 * @see Dettmers et al. 2022 (LLM.int8), section 2.1: vector-wise quantisation
 */
export function addInt8Linear(scope: LinearScope, x: TensorName, { codes, scales }: Int8Weight): TensorName {
  const { graph } = scope;
  const rows = quantiseRowsOf(scope, x);
  const product = graph.add("MatMulIntegerToFloat", [
    rows.codes,
    codes,
    graph.scalar(1),
    scales,
    graph.byte(ZERO_POINT),
  ]);
  return graph.add("Mul", [product, rows.scales]);
}

/** Activations are unsigned around this: the processors' integer kernels take unsigned times signed. */
const ZERO_POINT = 128;
/** Below any scale that matters; keeps a row of zeros from being divided by zero. */
const SMALLEST_SCALE = 1e-30;

/** [N, inSize] codes and [N, 1] scales of an activation, shared by all maps that read it. */
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
