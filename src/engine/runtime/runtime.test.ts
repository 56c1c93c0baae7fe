import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeRuntime } from "../../checkpoint/graph-folder.ts";
import { fileSource } from "../../checkpoint/weight-index.ts";
import { createGraph } from "../graph/graph.ts";
import { type ByteSource, memorySource } from "../graph/weights.ts";
import { ortNode } from "./ort-node.ts";
import { openOrtWeb } from "./ort-web.ts";
import { floatTensor, type GraphModel, type Runtime, readFloats } from "./runtime.ts";

/** Two bytes in front of the weight, so that it is not aligned. */
const WEIGHT = new Uint8Array([255, 255, ...new Uint8Array(Float32Array.of(1, 10, 100, 1000).buffer)]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-runtime-"));
  await writeFile(join(folder, "weights.bin"), WEIGHT);
});
afterAll(() => rm(folder, { recursive: true }));

/** y = x W and double = 2y, for x [rows, 2]. */
function buildModel(source: ByteSource): GraphModel {
  const graph = createGraph("contract");
  const x = graph.input("x", "float32", ["rows", 2]);
  const w = graph.external("w", "float32", [2, 2], { file: source.name, byteOffset: 2, byteLength: 16 });
  graph.addNamed("MatMul", [x, w], ["y"]);
  graph.addNamed("Add", ["y", "y"], ["double"]);
  graph.output("y", "float32", ["rows", 2]);
  graph.output("double", "float32", ["rows", 2]);
  return { graph: graph.serialize(), sources: [source] };
}

const FEEDS = { x: floatTensor(Float32Array.of(1, 2, 3, 0), [2, 2]) };
const Y = [201, 2010, 3, 30];

describe.each([
  ["ort-node", async (): Promise<Runtime> => ortNode],
  ["ort-node on graph folders", async (): Promise<Runtime> => nodeRuntime],
  ["ort-web", (): Promise<Runtime> => openOrtWeb()],
] as const)("the runtime %s", (_name, open) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await open();
  });

  it("says what it is", () => {
    expect(runtime.name).toMatch(/^onnxruntime-(node|web)$/);
    expect(runtime.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    ["memory", (): ByteSource => memorySource("weights.bin", WEIGHT)],
    ["a file", (): ByteSource => fileSource(join(folder, "weights.bin"))],
  ])("reads weights in %s", async (_place, source) => {
    await using session = await runtime.createSession(buildModel(source()), { threads: 1 });
    expect(session.inputs).toEqual([{ name: "x", type: "float32", shape: ["rows", 2] }]);
    expect(session.outputNames).toEqual(["y", "double"]);
    const outputs = await session.run(FEEDS);
    expect([...readFloats(outputs, "y")]).toEqual(Y);
    expect(outputs.double?.dims).toEqual([2, 2]);
  });

  it.each(["planned", "kept", "returned"] as const)(
    "computes the outputs that are asked for, or writes them in place, with memory %s",
    async (memory) => {
      const model = buildModel(memorySource("weights.bin", WEIGHT));
      const options = { threads: 1, memory, optimise: false };
      await using session = await runtime.createSession(model, options);
      expect(Object.keys(await session.run(FEEDS, { double: null }))).toEqual(["double"]);
      const double = new Float32Array(6);
      await session.run(FEEDS, { double: floatTensor(double.subarray(1, 5), [2, 2]) });
      expect([...double]).toEqual([0, ...Y.map((value) => 2 * value), 0]);
    },
  );

  it("refuses a device that it has not", async () => {
    const gone = process.platform === "win32" ? "coreml" : "dml";
    const model = buildModel(memorySource("weights.bin", WEIGHT));
    await expect(runtime.createSession(model, { threads: 1, device: gone })).rejects.toThrow();
  });
});
