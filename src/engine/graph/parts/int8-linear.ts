import { quantiseRows } from "../../../math/quantise.ts";
import type { TensorName } from "../graph.ts";
import type { LinearScope } from "../graph-scope.ts";
import type { LinearFormat } from "../linear-format.ts";

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
