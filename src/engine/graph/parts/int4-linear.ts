import { INT4_BLOCK, quantiseBlocks } from "../../../math/quantise.ts";
import type { TensorName } from "../graph.ts";
import type { LinearScope } from "../graph-scope.ts";
import type { LinearFormat } from "../linear-format.ts";

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
 * all maps that read it. On AVX2 a single row is summed in another order than several, and threads get 128 rows each,
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
