// Our engine, as `sep generate` runs it: copies of the model on threads of their own. See ../generate.js.
import { readFileSync } from "node:fs";
import { createLocalBackend } from "../../dist/backends/local/local-backend.js";
import { loadModel } from "../../dist/checkpoint/load-model.js";
import { createRunRecorder } from "../../dist/samples/record-runs.js";
import { mapConcurrently } from "../../dist/study/map-concurrently.js";

const { model: path, prompts, samples, sampler, dtype } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const model = await loadModel(path, { dtype });
const backend = createLocalBackend(model);
const engine = await backend.openSampler(prompts.length);
const recorder = (settings) =>
  createRunRecorder(backend, {
    dataset: "bench",
    sampler: settings,
    seed: 1,
    correctness: "math",
    promptFormat: asItIs(),
  });
const question = ({ text }, id) => ({ id: String(id), question: text, answer: "0" });
const runIds = Array.from({ length: samples }, (_, run) => run);
// every copy is loaded and warm before the clock starts
await drain(prompts.slice(0, 2).map(question), 8);

const began = performance.now();
const tokens = await drain(prompts.map(question), null);
console.log(
  JSON.stringify({
    tokens,
    seconds: (performance.now() - began) / 1000,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
await engine[Symbol.asyncDispose]();
await model[Symbol.asyncDispose]();

async function drain(questions, maxNewTokens) {
  const { sample } = recorder(maxNewTokens === null ? sampler : { ...sampler, maxNewTokens });
  let count = 0;
  const sampled = mapConcurrently(questions, (item, signal) => sample(engine, item, runIds, signal), {
    concurrency: engine.concurrency,
  });
  for await (const runs of sampled) for (const run of runs) count += run.tokens.length;
  return count;
}

/** The prompts are whole texts already. */
function asItIs() {
  return { kind: "template", template: { name: "prompt", text: "{question}" } };
}
