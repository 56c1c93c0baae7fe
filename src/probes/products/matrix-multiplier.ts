import { createGraph, type OnnxGraph, type TensorName } from "../../engine/graph/graph.ts";
import { floatTensor, type Runtime, type Session, type Tensor } from "../../engine/runtime/runtime.ts";
import { type CodedProducts, createCodedProducts, openProductSession } from "./coded-products.ts";

/** Sizes of one product. */
interface ProductShape {
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

/**
 * Products with matrices that stay the same from pass to pass, of few rows at a time: images = X K, and then
 * (images P · factors) Q. The kernels repack the matrix on the right in every product; here they do it once, and take
 * half to a quarter of the time for one to eight rows.
 */
interface PackedPass extends AsyncDisposable {
  /** All arrays may be longer than the shapes need. */
  run(arrays: PassArrays): Promise<void>;
}

interface PassArrays {
  /** m */
  readonly count: number;
  /** [m,n] X; the images themselves for a pass without K */
  readonly x: Float32Array;
  /** [m,k] */
  readonly factors: Float32Array;
  /** [m,n] is written here for a pass with K */
  readonly images: Float32Array;
  /** [m,k] images P is written here. */
  readonly inside: Float32Array;
  /** [m,w] is written here. */
  readonly out: Float32Array;
}

interface PassMatrices {
  /** [n,n]; null for a pass that gets the images. */
  readonly K: Float32Array | null;
  /** [n,k] */
  readonly P: Float32Array;
  /** [k,w] */
  readonly Q: Float32Array;
}

/** Packs the matrices, of which copies are kept; dispose it after use. Packing K takes as long as 20 products with it. */
export async function packPass(
  { runtime, threads }: MatrixMultiplier,
  { K, P, Q }: PassMatrices,
  { n, k }: { readonly n: number; readonly k: number },
): Promise<PackedPass> {
  const w = Q.length / k;
  const graph = createGraph("packed pass");
  graph.input("x", "float32", ["m", n]);
  graph.input("factors", "float32", ["m", k]);
  const parts = K === null ? {} : addImages(graph, K, n);
  graph.addNamed("MatMul", [K === null ? "x" : "images", addGiven(graph, "P", [n, k])], ["inside"]);
  graph.output("inside", "float32", ["m", k]);
  graph.addNamed("MatMul", [graph.add("Mul", ["inside", "factors"]), addGiven(graph, "Q", [k, w])], ["out"]);
  graph.output("out", "float32", ["m", w]);
  const session = await openProductSession(runtime, graph, { threads, given: { ...parts, P, Q } });
  return {
    async run({ count, x, factors, images, inside, out }) {
      const tensor = (array: Float32Array, columns: number): Tensor =>
        floatTensor(array.subarray(0, count * columns), [count, columns]);
      await session.run(
        { x: tensor(x, n), factors: tensor(factors, k) },
        {
          ...(K === null ? {} : { images: tensor(images, n) }),
          inside: tensor(inside, k),
          out: tensor(out, w),
        },
      );
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** Larger blocks of memory are fetched from the system and given back each time, which takes longer than packing. */
const LARGEST_PART_BYTES = 4 * 1024 ** 2;

/** images = X K, as the sum of what parts of K, of some rows each, have for their parts of X. @returns the parts, by name */
function addImages(graph: OnnxGraph, K: Float32Array, n: number): Record<TensorName, Float32Array> {
  const count = Math.ceil((n * n * Float32Array.BYTES_PER_ELEMENT) / LARGEST_PART_BYTES);
  const height = Math.ceil(n / count);
  const tops = Array.from({ length: Math.ceil(n / height) }, (_, i) => i * height);
  const heights = tops.map((top) => Math.min(height, n - top));
  const cuts = tops.map(() => graph.fresh());
  graph.addNamed("Split", ["x", graph.integers(heights)], cuts, { axis: 1 });
  const names = tops.map((_, i) => `K${i}`);
  const products = names.map((name, i) =>
    graph.add("MatMul", [cuts[i]!, addGiven(graph, name, [heights[i]!, n])]),
  );
  graph.addNamed("Sum", products, ["images"]);
  graph.output("images", "float32", ["m", n]);
  const partOf = (i: number): Float32Array => K.subarray(tops[i]! * n, (tops[i]! + heights[i]!) * n);
  return Object.fromEntries(names.map((name, i) => [name, partOf(i)]));
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
