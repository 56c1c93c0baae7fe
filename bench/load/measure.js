// One process's share of ../load.js: loads a model as `sep generate` does, samples, and says what that took.

import { createLocalBackend } from "../../dist/backends/local/local-backend.js";
import { loadModel } from "../../dist/checkpoint/load-model.js";
import { createRunRecorder } from "../../dist/samples/record-runs.js";
import { mapConcurrently } from "../../dist/study/map-concurrently.js";

const [, , reference, dtype, questionCount, samples, maxNewTokens] = process.argv;

const began = performance.now();
const model = await loadModel(reference, { dtype });
const backend = createLocalBackend(model);
const engine = await backend.openSampler(Number(questionCount));
const sampler = {
  temperature: 0.7,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: Number(maxNewTokens),
  stopStrings: [],
  stopTokenIds: [],
};
const options = { dataset: "bench", sampler, seed: 1, correctness: "math", promptFormat: "notebook" };
const questions = Array.from({ length: Number(questionCount) }, (_, i) => ({
  id: String(i),
  question: `Tom has ${i + 2} baskets with ${i + 3} apples each and eats one. How many apples are left?`,
  answer: "0",
}));
const recorder = createRunRecorder(backend, options);
const runIds = Array.from({ length: Number(samples) }, (_, run) => run);
const sampled = mapConcurrently(questions, (item, signal) => recorder.sample(engine, item, runIds, signal), {
  concurrency: engine.concurrency,
});
// the sessions open at their first pass
await createRunRecorder(backend, { ...options, sampler: { ...sampler, maxNewTokens: 1 } }).sample(
  engine,
  questions[0],
  [0],
);
const loadMs = performance.now() - began;
const sampleBegan = performance.now();
let tokens = 0;
for await (const runs of sampled) for (const run of runs) tokens += run.tokens.length;
console.log(
  JSON.stringify({
    loadMs,
    copies: engine.concurrency,
    tokens,
    sampleMs: performance.now() - sampleBegan,
    sampledRssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
process.exit();
