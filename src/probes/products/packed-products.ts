import { Tensor } from "onnxruntime-node";
import { createGraph, type OnnxGraph, type TensorName } from "../../onnx/graph.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";
import { openProductSession } from "./open-session.ts";

/**
 * A matrix that many of few rows are multiplied by, one after the other. The kernels repack B once here and not in every
 * call, and then take two to four times less for one to eight rows; packing takes as long as 5 to 20 calls.
 */
export interface PackedMatrix extends AsyncDisposable {
  /** out [m,n] = A [m,k] B. The arrays may be longer; `out` is written in place. */
  multiply(a: Float32Array, m: number, out: Float32Array): Promise<void>;
}

/** Packs B [k,n], of which a copy is kept; dispose it after use. */
export async function packMatrix(
  { threads }: MatrixMultiplier,
  b: Float32Array,
  { k, n }: { readonly k: number; readonly n: number },
): Promise<PackedMatrix> {
  const graph = createGraph("product with a packed matrix");
  graph.input("A", "float32", ["m", k]);
  graph.addNamed("MatMul", ["A", addGiven(graph, "B", [k, n])], ["Y"]);
  graph.output("Y", "float32", ["m", n]);
  const session = await openProductSession(graph, { threads, given: { B: b.subarray(0, k * n) } });
  return {
    async multiply(a, m, out) {
      await session.run(
        { A: new Tensor("float32", a.subarray(0, m * k), [m, k]) },
        { Y: new Tensor("float32", out.subarray(0, m * n), [m, n]) },
      );
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

/** Projections that are scaled and put together again: Y = (X P · factors) Q. */
export interface PackedFilter extends AsyncDisposable {
  /**
   * @param x       [m,n]; all arrays may be longer
   * @param factors [m,k]
   * @param inside  [m,k] X P is written here
   * @param out     [m,w] Y is written here
   */
  apply(
    x: Float32Array,
    factors: Float32Array,
    m: number,
    inside: Float32Array,
    out: Float32Array,
  ): Promise<void>;
}

/**
 * Packs P [n,k] and Q [k,w], of which copies are kept; dispose it after use.
 * @param sizes n, k and w
 */
export async function packFilter(
  { threads }: MatrixMultiplier,
  p: Float32Array,
  q: Float32Array,
  { n, k, w }: { readonly n: number; readonly k: number; readonly w: number },
): Promise<PackedFilter> {
  const graph = createGraph("filter");
  graph.input("x", "float32", ["m", n]);
  graph.input("factors", "float32", ["m", k]);
  graph.addNamed("MatMul", ["x", addGiven(graph, "P", [n, k])], ["inside"]);
  graph.addNamed("MatMul", [graph.add("Mul", ["inside", "factors"]), addGiven(graph, "Q", [k, w])], ["out"]);
  graph.output("inside", "float32", ["m", k]);
  graph.output("out", "float32", ["m", w]);
  const session = await openProductSession(graph, { threads, given: { P: p, Q: q } });
  return {
    async apply(x, factors, m, inside, out) {
      await session.run(
        {
          x: new Tensor("float32", x.subarray(0, m * n), [m, n]),
          factors: new Tensor("float32", factors.subarray(0, m * k), [m, k]),
        },
        {
          inside: new Tensor("float32", inside.subarray(0, m * k), [m, k]),
          out: new Tensor("float32", out.subarray(0, m * w), [m, w]),
        },
      );
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

/** A constant whose numbers are handed over when the session is opened. */
const addGiven = (
  graph: OnnxGraph,
  name: TensorName,
  [rows, columns]: readonly [number, number],
): TensorName =>
  graph.external(name, "float32", [rows, columns], {
    file: name,
    byteOffset: 0,
    byteLength: rows * columns * Float32Array.BYTES_PER_ELEMENT,
  });
