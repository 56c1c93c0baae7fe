import { InferenceSession, Tensor } from "onnxruntime-node";
import { createGraph } from "../graph/graph.ts";

/** Entries of a session's `extra.session` under which integer products are exact. */
export interface ExactIntegerSettings {
  /** Weights in int8 become uint8 when the session opens: onnxruntime's slower kernel, which does not saturate. */
  readonly x64quantprecision?: "1";
}

/**
 * Settings for a session whose linear maps are integer products. x86 processors without VNNI add two products of an
 * unsigned and a signed byte in 16 bits, which saturate: sums come out wrong, without an error. onnxruntime has a
 * setting against that, but it takes the slower kernel on all x86 processors with AVX2, so it is set only where a
 * product comes out wrong.
 */
export async function exactIntegerSettings(
  multiplies: () => Promise<boolean> = multipliesExactly,
): Promise<ExactIntegerSettings> {
  return (await multiplies()) ? {} : { x64quantprecision: "1" };
}

/** One row takes another kernel than several. */
const ROW_COUNTS = [1, 8];
/** More than one step of the widest vectors, in both directions. */
const SIZE = 64;
/** The codes with the largest product: two of them are 64,770, and 16 bits hold 32,767. */
const LEFT_CODE = 255;
const RIGHT_CODE = 127;

/** Whether this processor's kernel for unsigned times signed bytes gives the largest products exactly. */
async function multipliesExactly(): Promise<boolean> {
  const graph = createGraph("saturation");
  graph.input("left", "uint8", ["rows", SIZE]);
  graph.input("right", "int8", [SIZE, SIZE]);
  graph.addNamed("MatMulInteger", ["left", "right"], ["product"]);
  graph.output("product", "int32", ["rows", SIZE]);
  const session = await InferenceSession.create(graph.serialize(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const right = new Tensor("int8", new Int8Array(SIZE * SIZE).fill(RIGHT_CODE), [SIZE, SIZE]);
    for (const rows of ROW_COUNTS) {
      const left = new Tensor("uint8", new Uint8Array(rows * SIZE).fill(LEFT_CODE), [rows, SIZE]);
      const { product } = await session.run({ left, right });
      const sums = (product as Tensor).data as Int32Array;
      if (!sums.every((sum) => sum === SIZE * LEFT_CODE * RIGHT_CODE)) return false;
    }
    return true;
  } finally {
    await session.release();
  }
}
