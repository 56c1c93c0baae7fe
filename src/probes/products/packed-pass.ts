import { createGraph, type OnnxGraph, type TensorName } from "../../engine/graph/graph.ts";
import { floatTensor, type Tensor } from "../../engine/runtime/runtime.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";
import { openProductSession } from "./open-session.ts";

/**
 * Products with matrices that stay the same from pass to pass, of few rows at a time: images = X K, and then
 * (images P · factors) Q. The kernels repack the matrix on the right in every product; here they do it once, and take
 * half to a quarter of the time for one to eight rows.
 */
export interface PackedPass extends AsyncDisposable {
  /** All arrays may be longer than the shapes need. */
  run(arrays: PassArrays): Promise<void>;
}

export interface PassArrays {
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

export interface PassMatrices {
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
