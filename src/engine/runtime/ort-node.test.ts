import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { encodeTensor } from "../../formats/tensor-bytes.ts";
import { rotateInputs, rotationSize } from "../../math/quantise.ts";
import { createRng } from "../../math/rng.ts";
import { createGraph, type OnnxType } from "../graph/graph.ts";
import type { LinearFormat, LinearWeight } from "../graph/graph-scope.ts";
import { createGraphWeights } from "../graph/graph-weights.ts";
import { scaleRows } from "../graph/parts/linear.ts";
import { INT4_LINEAR, INT8_LINEAR } from "../graph/parts/quantised-linear.ts";
import { exactIntegerSettings } from "./ort-node.ts";

const IN_SIZE = 96;
const OUT_SIZE = 48;
const WEIGHT: LinearWeight = {
  name: "w",
  outSize: OUT_SIZE,
  inSize: IN_SIZE,
  layout: "out-in",
  isHead: false,
  isDown: false,
};
const TYPES: Readonly<Record<string, OnnxType>> = { F32: "float32", I8: "int8", U8: "uint8" };

/** A quantised linear layer, in a session as models open it. */
async function openLinear(format: LinearFormat, values: Float32Array) {
  const graph = createGraph("linear");
  const x = graph.input("x", "float32", ["N", IN_SIZE]);
  const quantised = format.quantise(values, WEIGHT);
  const externalData: { path: string; data: Uint8Array }[] = [];
  const parts = format.tensors(WEIGHT).map(({ name, dtype, shape }, i) => {
    const data = encodeTensor(quantised[i] as Float32Array, dtype);
    externalData.push({ path: name, data });
    return graph.external(name, TYPES[dtype] as OnnxType, shape, {
      file: name,
      byteOffset: 0,
      byteLength: data.byteLength,
    });
  });
  const scope = {
    graph,
    weights: createGraphWeights(graph, new Map()),
    linears: [],
    quantisedRows: new Map(),
    rotations: new Map(),
    pairedRows: new Map(),
  };
  graph.addNamed(
    "Identity",
    [scaleRows(graph, format.add(scope, { rows: x, scales: null }, WEIGHT, parts))],
    ["y"],
  );
  graph.output("y", "float32", ["N", OUT_SIZE]);
  const session = await InferenceSession.create(graph.serialize(), {
    externalData,
    intraOpNumThreads: 2,
    logSeverityLevel: 3,
    extra: { session: await exactIntegerSettings() },
  });
  return {
    async run(rows: Float32Array): Promise<Float32Array> {
      const { y } = await session.run({ x: new Tensor("float32", rows, [rows.length / IN_SIZE, IN_SIZE]) });
      return (y as Tensor).data as Float32Array;
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

describe("exactIntegerSettings", () => {
  it("asks for the slower kernel only where products come out wrong", async () => {
    expect(await exactIntegerSettings(async () => true)).toEqual({});
    expect(await exactIntegerSettings(async () => false)).toEqual({ x64quantprecision: "1" });
  });

  it("makes sums of the largest codes exact on every CPU", async () => {
    // what a rotation makes all ones
    const ones = (outSize: number): Float32Array =>
      rotateInputs(
        new Float32Array(outSize * IN_SIZE).fill(1),
        { outSize, inSize: IN_SIZE, transposed: false },
        rotationSize(IN_SIZE, 64),
      );
    await using linear = await openLinear(INT8_LINEAR, ones(OUT_SIZE));
    for (const rows of [1, 2, 8]) {
      const sums = await linear.run(ones(rows));
      // float32 scales of 1/127 on both sides
      for (const sum of sums) expect(Math.abs(sum / IN_SIZE - 1)).toBeLessThan(1e-6);
    }
  });
});

it.each([
  ["int8", INT8_LINEAR],
  ["int4", INT4_LINEAR],
] as const)(
  "a row of %s has the same bits whatever rows are beside it, on two threads",
  async (_name, format) => {
    const rng = createRng("rows");
    const random = (length: number): Float32Array => Float32Array.from({ length }, () => rng.next() - 0.5);
    await using linear = await openLinear(format, random(OUT_SIZE * IN_SIZE));
    const rows = random(258 * IN_SIZE);
    const all = await linear.run(rows);
    // threads of int4 get 128 rows each: the last one may be left with a single row
    for (const count of [1, 2, 3, 127, 128, 129, 257]) {
      const some = await linear.run(rows.subarray(0, count * IN_SIZE));
      expect(some, `${count} rows`).toEqual(all.subarray(0, count * OUT_SIZE));
      const end = await linear.run(rows.subarray((258 - count) * IN_SIZE));
      expect(end, `the last ${count} rows`).toEqual(all.subarray((258 - count) * OUT_SIZE));
    }
  },
);
