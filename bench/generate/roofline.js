import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGraph } from "../../dist/engine/graph/graph.js";
import { memorySource } from "../../dist/engine/graph/weights.js";
import { ortNode } from "../../dist/engine/runtime/ort-node.js";

/** 10, 40 and 80 are steps of one, four and eight questions with ten samples each; 512 shows what the CPU can do. */
const ROWS = [10, 40, 80, 512];
const REPEATS = 5;

/** Every linear layer of one token's pass through a model, as [inputs, outputs, how many of them there are]. */
function linearShapes({
  hiddenSize,
  headCount,
  kvHeadCount,
  headSize,
  intermediateSize,
  blockCount,
  vocabularySize,
}) {
  return [
    [hiddenSize, headCount * headSize, blockCount],
    [hiddenSize, kvHeadCount * headSize, 2 * blockCount],
    [headCount * headSize, hiddenSize, blockCount],
    [hiddenSize, intermediateSize, 2 * blockCount],
    [intermediateSize, hiddenSize, blockCount],
    [hiddenSize, vocabularySize, 1],
  ];
}

/** Of one token, the head included. */
export const countLinearFlops = (config) =>
  linearShapes(config).reduce((sum, [inputs, outputs, count]) => sum + 2 * inputs * outputs * count, 0);

/**
 * Prints how fast the CPU multiplies matrices of the model's linear layers, all of them one after the other, so that
 * weights come from memory as they do in a step. Activations are float32 or quantised already.
 */
export async function printRoofline(config, { title, python, folder }) {
  const shapes = linearShapes(config);
  const threads = availableParallelism();
  const flops = countLinearFlops(config);
  console.log(
    `## Roofline: the linear layers of ${title}\n\nGFLOP/s with ${threads} threads; ${(flops / 1e6).toFixed(0)} MFLOP per token.\n`,
  );
  console.log(
    `| kernel | ${ROWS.map((rows) => `${rows} rows`).join(" | ")} |\n| ${"--- | ".repeat(ROWS.length + 1)}`,
  );
  const print = (kernel, seconds) =>
    console.log(
      `| ${kernel} | ${seconds.map((s, i) => ((ROWS[i] * flops) / s / 1e9).toFixed(0)).join(" | ")} |`,
    );
  for (const kernel of [FLOAT32, INT8]) print(kernel.name, await timeLayers(kernel, shapes, threads));
  if (python !== undefined) {
    const script = fileURLToPath(new URL("roofline.py", import.meta.url));
    const job = join(folder, "roofline.json");
    writeFileSync(job, JSON.stringify({ shapes, rows: ROWS, repeats: REPEATS, threads }));
    const times = JSON.parse(
      execFileSync(python, [script, job], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
    for (const [dtype, seconds] of Object.entries(times)) print(`torch ${dtype} linear`, seconds);
  }
  console.log("");
}

/** What the engine computes in float32. */
const FLOAT32 = {
  name: "onnxruntime float32 MatMul",
  type: "float32",
  integers: false,
  bytes: (size) =>
    new Uint8Array(Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5).buffer),
  input: (size) => new Float32Array(size).fill(0.5),
  add: (graph, x, weight) => graph.add("MatMul", [x, weight]),
};

/** What the engine computes in int8: unsigned activations times signed weights. */
const INT8 = {
  name: "onnxruntime int8 MatMulIntegerToFloat",
  type: "int8",
  integers: true,
  bytes: (size) =>
    new Uint8Array(Int8Array.from({ length: size }, (_, i) => ((i * 7919) % 255) - 127).buffer),
  input: (size) => new Uint8Array(size).fill(200),
  add: (graph, x, weight) =>
    graph.add("MatMulIntegerToFloat", [x, weight, graph.scalar(1), graph.scalar(1), graph.byte(128)]),
};

/** @returns seconds of all layers for each number of rows: the fastest of a few passes */
async function timeLayers({ type, integers, bytes, input, add }, shapes, threads) {
  const inputType = integers ? "uint8" : "float32";
  const graph = createGraph("linear layers");
  const sources = [];
  const sizes = [...new Set(shapes.map(([inputs]) => inputs))];
  for (const size of sizes) graph.input(`x${size}`, inputType, ["rows", size]);
  // one number of each product is an output, so that nothing is left out or kept
  const ends = shapes.flatMap(([inputs, outputs, count]) =>
    Array.from({ length: count }, () => {
      const name = `w${sources.length}`;
      const data = bytes(inputs * outputs);
      sources.push(memorySource(name, data));
      graph.external(name, type, [inputs, outputs], { file: name, byteOffset: 0, byteLength: data.length });
      const product = add(graph, `x${inputs}`, name);
      return graph.add("Slice", [
        product,
        graph.integers([0, 0]),
        graph.integers([1, 1]),
        graph.integers([0, 1]),
      ]);
    }),
  );
  graph.addNamed("Concat", ends, ["end"], { axis: 1 });
  graph.output("end", "float32", [1, ends.length]);
  const session = await ortNode.createSession(
    { graph: graph.serialize(), sources },
    { threads, multipliesIntegers: integers },
  );
  const seconds = [];
  for (const rows of ROWS) {
    const feeds = Object.fromEntries(
      sizes.map((size) => [`x${size}`, { type: inputType, data: input(rows * size), dims: [rows, size] }]),
    );
    const times = [];
    for (let repeat = 0; repeat <= REPEATS; repeat++) {
      const began = performance.now();
      await session.run(feeds);
      times.push((performance.now() - began) / 1000);
    }
    seconds.push(Math.min(...times));
  }
  await session[Symbol.asyncDispose]();
  return seconds;
}
