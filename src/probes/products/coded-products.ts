import { createGraph, ONNX_TYPES, type OnnxGraph, type TensorName } from "../../engine/graph/graph.ts";
import { memorySource } from "../../engine/graph/weights.ts";
import { floatTensor, type Runtime, type Session } from "../../engine/runtime/runtime.ts";

/** Rows in whole numbers, each on its own scale: a number is about (code - zero) · scale. */
interface CodedRows<Codes> {
  readonly rowCount: number;
  readonly codes: Codes;
  /** [rows] > 0 */
  readonly scales: Float32Array;
}

/** Codes [rows, k] of seven bits, zero at 64. */
type LeftRows = CodedRows<Uint8Array>;
/** Codes [k, rows] of eight bits, zero at 0. */
export type RightRows = CodedRows<Int8Array>;

/**
 * Products of rows that are rounded to whole numbers: three times as fast as float32 on CPUs that multiply
 * bytes, for what need not be more exact than a hundredth of its typical size.
 */
export interface CodedProducts extends AsyncDisposable {
  /**
   * @param rows    [m,k] row-major; may be longer
   * @param factors [k] each column is multiplied by its own first
   * @param codes   [m,k] is written here; may be longer
   */
  encodeLeft(
    rows: Float32Array,
    m: number,
    k: number,
    factors: Float32Array,
    codes: Uint8Array,
  ): Promise<LeftRows>;
  /**
   * @param rows    [m,k] row-major; may be longer
   * @param factors [k] as above
   */
  encodeRight(rows: Float32Array, m: number, k: number, factors: Float32Array): Promise<RightRows>;
  /**
   * out [m,n] = onto [m,n] + left · right
   * @param transposed [n,m] = the same, transposed; all three may be longer
   */
  multiply(
    left: LeftRows,
    right: RightRows,
    onto: Float32Array,
    out: Float32Array,
    transposed: Float32Array,
  ): Promise<void>;
}

/** Left codes are 1 to 127: sums of two products then fit the 16 bits that CPUs without VNNI keep them in. */
const LEFT_ZERO = 64;
const LEFT_LARGEST = 63;
const RIGHT_LARGEST = 127;
/** Rows that are encoded at once; the buffers of a step are of this many. */
const ROWS_AT_ONCE = 128;

/** {@link CodedProducts}; dispose them after use. Sessions are opened when they are first needed. */
export function createCodedProducts(runtime: Runtime, threads: number): CodedProducts {
  const sessions = new Map<() => OnnxGraph, Promise<Session>>();
  const sessionFor = (build: () => OnnxGraph): Promise<Session> => {
    // all rows on the right are encoded at once, and seldom: that memory is better given back
    const keepsMemory = build !== buildRightEncoder;
    const session = sessions.get(build) ?? openProductSession(runtime, build(), { threads, keepsMemory });
    sessions.set(build, session);
    return session;
  };
  return {
    async encodeLeft(rows, m, k, factors, codes) {
      const session = await sessionFor(buildLeftEncoder);
      const scales = new Float32Array(m);
      for (let top = 0; top < m; top += ROWS_AT_ONCE) {
        const bottom = Math.min(top + ROWS_AT_ONCE, m);
        const shape = [bottom - top, k];
        await session.run(
          {
            rows: floatTensor(rows.subarray(top * k, bottom * k), shape),
            factors: floatTensor(factors, [k]),
          },
          {
            codes: { type: "uint8", data: codes.subarray(top * k, bottom * k), dims: shape },
            scales: floatTensor(scales.subarray(top, bottom), [bottom - top, 1]),
          },
        );
      }
      return { rowCount: m, codes: codes.subarray(0, m * k), scales };
    },
    async encodeRight(rows, m, k, factors) {
      const session = await sessionFor(buildRightEncoder);
      const codes = new Int8Array(m * k);
      const scales = new Float32Array(m);
      await session.run(
        {
          rows: floatTensor(rows.subarray(0, m * k), [m, k]),
          factors: floatTensor(factors, [k]),
        },
        { codes: { type: "int8", data: codes, dims: [k, m] }, scales: floatTensor(scales, [1, m]) },
      );
      return { rowCount: m, codes, scales };
    },
    async multiply(left, right, onto, out, transposed) {
      const session = await sessionFor(buildProduct);
      const [m, n] = [left.rowCount, right.rowCount];
      const k = left.codes.length / m;
      await session.run(
        {
          left: { type: "uint8", data: left.codes, dims: [m, k] },
          leftScales: floatTensor(left.scales, [m, 1]),
          right: { type: "int8", data: right.codes, dims: [k, n] },
          rightScales: floatTensor(right.scales, [1, n]),
          onto: floatTensor(onto.subarray(0, m * n), [m, n]),
        },
        {
          out: floatTensor(out.subarray(0, m * n), [m, n]),
          transposed: floatTensor(transposed.subarray(0, m * n), [n, m]),
        },
      );
    },
    async [Symbol.asyncDispose]() {
      for (const session of await Promise.all(sessions.values())) await session[Symbol.asyncDispose]();
    },
  };
}

function buildLeftEncoder(): OnnxGraph {
  const graph = createGraph("left codes");
  graph.input("rows", "float32", ["m", "k"]);
  graph.input("factors", "float32", ["k"]);
  const whole = addScaling(graph, LEFT_LARGEST, "scales");
  graph.addNamed("QuantizeLinear", [whole, graph.scalar(1), graph.byte(LEFT_ZERO)], ["codes"]);
  graph.output("codes", "uint8", ["m", "k"]);
  graph.output("scales", "float32", ["m", 1]);
  return graph;
}

function buildRightEncoder(): OnnxGraph {
  const graph = createGraph("right codes");
  graph.input("rows", "float32", ["m", "k"]);
  graph.input("factors", "float32", ["k"]);
  const scales = graph.fresh();
  const whole = addScaling(graph, RIGHT_LARGEST, scales);
  const codes = graph.add("QuantizeLinear", [whole, graph.scalar(1)], { output_dtype: ONNX_TYPES.int8 });
  graph.addNamed("Transpose", [codes], ["codes"], { perm: [1, 0] });
  graph.addNamed("Transpose", [scales], ["scales"], { perm: [1, 0] });
  graph.output("codes", "int8", ["k", "m"]);
  graph.output("scales", "float32", [1, "m"]);
  return graph;
}

/**
 * Rows times their columns' factors, divided by what makes the largest magnitude of each the largest code; a row of zeros
 * stays one.
 * @param scales name of that divisor [m,1]
 */
function addScaling(graph: OnnxGraph, largestCode: number, scales: TensorName): TensorName {
  const rows = graph.add("Mul", ["rows", "factors"]);
  const sizes = graph.add("ReduceMax", [graph.add("Abs", [rows]), graph.integers([1])], { keepdims: 1 });
  const largest = graph.add("Max", [sizes, graph.scalar(1e-30)]);
  graph.addNamed("Div", [largest, graph.scalar(largestCode)], [scales]);
  return graph.add("Mul", [rows, graph.add("Reciprocal", [scales])]);
}

function buildProduct(): OnnxGraph {
  const graph = createGraph("product of codes");
  graph.input("left", "uint8", ["m", "k"]);
  graph.input("leftScales", "float32", ["m", 1]);
  graph.input("right", "int8", ["k", "n"]);
  graph.input("rightScales", "float32", [1, "n"]);
  graph.input("onto", "float32", ["m", "n"]);
  const counts = graph.add("MatMulInteger", ["left", "right", graph.byte(LEFT_ZERO)]);
  const rows = graph.add("Mul", [graph.add("Cast", [counts], { to: ONNX_TYPES.float32 }), "leftScales"]);
  graph.addNamed("Add", ["onto", graph.add("Mul", [rows, "rightScales"])], ["out"]);
  graph.addNamed("Transpose", ["out"], ["transposed"], { perm: [1, 0] });
  graph.output("out", "float32", ["m", "n"]);
  graph.output("transposed", "float32", ["n", "m"]);
  return graph;
}

interface ProductSessionOptions {
  readonly threads: number;
  /** Whether what its steps need between them is kept from call to call. */
  readonly keepsMemory?: boolean;
  /** Constants of the graph, by the file that it has them in; they are copied. */
  readonly given?: Readonly<Record<string, Float32Array>>;
}

/** A session of one small product, among others that take turns with it. */
export const openProductSession = (
  runtime: Runtime,
  graph: OnnxGraph,
  { threads, keepsMemory = false, given = {} }: ProductSessionOptions,
): Promise<Session> =>
  runtime.createSession(
    {
      graph: graph.serialize(),
      sources: Object.entries(given).map(([name, { buffer, byteOffset, byteLength }]) =>
        memorySource(name, new Uint8Array(buffer, byteOffset, byteLength)),
      ),
    },
    {
      threads,
      // The graphs are as they should be; looking for what to improve takes as long as packing small matrices.
      optimise: false,
      // Shapes change with every call, so memory plans would only accumulate.
      memory: keepsMemory ? "kept" : "returned",
    },
  );
