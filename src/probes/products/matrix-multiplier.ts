import { createGraph, type OnnxGraph } from "../../engine/graph/graph.ts";
import { floatTensor, type Runtime, type Session } from "../../engine/runtime/runtime.ts";
import { type CodedProducts, createCodedProducts } from "./coded-products.ts";
import { openProductSession } from "./open-session.ts";

/** Sizes of one product. */
export interface ProductShape {
  /** Rows of A and of the product. */
  readonly m: number;
  /** Columns of A, summed over. */
  readonly k: number;
  /** Columns of the product. */
  readonly n: number;
  /** Whether A is given as [k, m] instead of [m, k]; slow for a large A. */
  readonly transposeA?: boolean;
  /** Whether B is given as [n, k] instead of [k, n]. */
  readonly transposeB: boolean;
}

/**
 * Float32 matrix products on onnxruntime's kernels, about 20 times faster than plain TypeScript. The kernels repack
 * B in every call, so the larger matrix belongs on the left; up to 16 columns of B take the time of one.
 */
export interface MatrixMultiplier extends AsyncDisposable {
  readonly runtime: Runtime;
  /** onnxruntime threads of each product. */
  readonly threads: number;
  /** Products in whole numbers. */
  readonly coded: CodedProducts;
  /** out [m,n] = A [m,k] B. The arrays may be longer than the shape needs; `out` is written in place. */
  multiply(a: Float32Array, b: Float32Array, out: Float32Array, shape: ProductShape): Promise<void>;
}

/**
 * A {@link MatrixMultiplier}; dispose it after use. Its tiny sessions, one for each way of transposing, are opened
 * when they are first needed.
 * @param threads onnxruntime threads for each product
 */
export async function createMatrixMultiplier(
  runtime: Runtime,
  { threads = 1 }: { readonly threads?: number } = {},
): Promise<MatrixMultiplier> {
  const sessions = new Map<string, Promise<Session>>();
  const sessionFor = (transposeA: boolean, transposeB: boolean): Promise<Session> => {
    const key = `${transposeA} ${transposeB}`;
    const known =
      sessions.get(key) ?? openProductSession(runtime, buildProduct(transposeA, transposeB), { threads });
    sessions.set(key, known);
    return known;
  };
  const coded = createCodedProducts(runtime, threads);
  const multiplier: MatrixMultiplier = {
    runtime,
    threads,
    coded,
    async multiply(a, b, out, { m, k, n, transposeA = false, transposeB }) {
      // one row on the left takes half the time of one column on the right, and lies in memory as it does
      if (n === 1 && m > 1) return multiplier.multiply(b, a, out, { m: 1, k, n: m, transposeB: !transposeA });
      const session = await sessionFor(transposeA, transposeB);
      const feeds = {
        A: floatTensor(a.subarray(0, m * k), transposeA ? [k, m] : [m, k]),
        B: floatTensor(b.subarray(0, k * n), transposeB ? [n, k] : [k, n]),
      };
      await session.run(feeds, { Y: floatTensor(out.subarray(0, m * n), [m, n]) });
    },
    async [Symbol.asyncDispose]() {
      for (const session of await Promise.all(sessions.values())) await session[Symbol.asyncDispose]();
      await coded[Symbol.asyncDispose]();
    },
  };
  return multiplier;
}

function buildProduct(transposeA: boolean, transposeB: boolean): OnnxGraph {
  const graph = createGraph("product");
  graph.input("A", "float32", transposeA ? ["k", "m"] : ["m", "k"]);
  graph.input("B", "float32", transposeB ? ["n", "k"] : ["k", "n"]);
  graph.addNamed("Gemm", ["A", "B"], ["Y"], { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 });
  graph.output("Y", "float32", ["m", "n"]);
  return graph;
}
