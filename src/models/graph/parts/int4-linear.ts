import { INT4_BLOCK, quantiseBlocks } from "../../../math/quantise-blocks.ts";
import type { TensorName } from "../../../onnx/graph.ts";
import type { LinearFormat } from "../linear-format.ts";

/**
 * x W^T with the weights in blocks of 32 four-bit codes along the inputs, each block with a scale and a zero point:
 * codes [outSize, blocks, 16], scales [outSize, blocks], zero points [outSize, ceil(blocks / 2)], two codes a byte, the
 * lower one first. The operator rounds activations to eight bits, 32 at a time, and sums every row in the same order
 * however many rows there are.
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
  add: ({ graph }, x, { outSize, inSize }, parts) =>
    graph.add("MatMulNBits", [x, ...(parts as TensorName[])], {
      K: inSize,
      N: outSize,
      bits: 4,
      block_size: INT4_BLOCK,
      accuracy_level: INT8_ACTIVATIONS,
    }),
};

/** Of MatMulNBits: activations in int8, which is the fast kernel, and the only one whose rows do not depend on their number. */
const INT8_ACTIVATIONS = 4;
