// What it costs to fit probes that pool all tokens of an answer, on random states of some size.
// npm run bench:pooled -- [--answers 500] [--tokens 60] [--width 256] [--layers 5] [--pooling mean,max,rolling-max,attention] [--workers 1]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fitProbes } from "../dist/index.js";
import { createHiddenStates } from "../dist/states/hidden-states.js";
import { describeCpu } from "./generate/describe-cpu.js";

const { values } = parseArgs({
  options: {
    answers: { type: "string", default: "500" },
    tokens: { type: "string", default: "60" },
    width: { type: "string", default: "256" },
    layers: { type: "string", default: "5" },
    pooling: { type: "string", default: "mean,max,rolling-max,attention" },
    workers: { type: "string", default: "1" },
  },
});
const [answers, tokens, width, layerCount, workers] = ["answers", "tokens", "width", "layers", "workers"].map(
  (name) => Number(values[name]),
);
const layers = Array.from({ length: layerCount }, (_, layer) => layer);

/** A reproducible number in [-1, 1). */
function noise(i) {
  let h = Math.imul(i, 0x9e3779b1) + 0x165667b1;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 31 - 1;
}

const folder = mkdtempSync(join(tmpdir(), "sep-bench-pooled-"));
const path = join(folder, "states.safetensors");
const labels = Uint8Array.from({ length: answers }, (_, i) => (noise(i + 7) > 0 ? 1 : 0));
const shape = {
  rowCounts: new Map([["every-token", answers * tokens]]),
  layers,
  hiddenSize: width,
  dtype: "float16",
  metadata: {},
};
const writer = await createHiddenStates(path, shape);
for (let answer = 0; answer < answers; answer++) {
  const marked = Math.floor((tokens * (1 + noise(answer + 11))) / 2);
  const rows = Array.from({ length: tokens }, (_, t) => {
    const row = answer * tokens + t;
    const residual = Float32Array.from({ length: layerCount * width }, (_, j) => noise(row * 4093 + j));
    // one token of a wrong answer gives it away, in a few directions
    if (labels[answer] === 1 && t === marked) for (let j = 0; j < residual.length; j += 8) residual[j] += 1;
    return { position: "every-token", row, residual };
  });
  await writer.write(rows);
}
await writer.finish(path);
await writer[Symbol.asyncDispose]();
const ranges = Int32Array.from({ length: 2 * answers }, (_, i) => ((i + 1) >> 1) * tokens);
const questions = Array.from({ length: answers }, (_, i) => `q${i >> 1}`);
console.log(describeCpu());
console.log(`${answers} answers of ${tokens} tokens, ${layerCount} layers of ${width}, ${workers} worker`);
for (const method of values.pooling.split(",")) {
  const pooling = { method, window: method === "rolling-max" ? 10 : null };
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  const fitting = fitProbes(
    { path, stateRows: {}, spans: { position: "every-token", ranges, poolings: [pooling] } },
    { incorrect: { labels } },
    questions,
    { workers },
  );
  let next = await fitting.next();
  while (!next.done) next = await fitting.next();
  const { user, system } = process.cpuUsage(cpu);
  const { best } = next.value.targets.incorrect;
  console.log(
    `${method.padEnd(12)} CPU ${((user + system) / 1e6).toFixed(1)} s, wall ${((performance.now() - wall) / 1000).toFixed(1)} s, AUROC ${best.auroc.toFixed(3)}, memory ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
  );
}
rmSync(folder, { recursive: true });
