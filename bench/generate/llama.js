// llama.cpp through node-llama-cpp: K sequences of one context, evaluated in shared batches. See ../generate.js.
// Run with the folder that node-llama-cpp is installed in as the second argument.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(join(process.argv[3], "package.json"));
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(require.resolve("node-llama-cpp")).href);
const { model: path, prompts, samples, sampler, threads, endTokens } = job;
const ends = new Set(endTokens);
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: path });
const longest = Math.max(...prompts.map(({ ids }) => ids.length));
const context = await model.createContext({
  // of each sequence
  contextSize: longest + sampler.maxNewTokens + 16,
  sequences: samples,
  threads,
  batchSize: 512,
});
const sequences = Array.from({ length: samples }, () => context.getSequence());

await answer(prompts[0].ids, 8);
const began = performance.now();
let tokens = 0;
for (const { ids } of prompts) tokens += await answer(ids, sampler.maxNewTokens);
console.log(
  JSON.stringify({
    tokens,
    seconds: (performance.now() - began) / 1000,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
await llama.dispose();

/** The first sequence evaluates the prompt but its last token; the others take over its state in the cache. */
async function answer(prompt, newTokens) {
  const [first, ...others] = sequences;
  for (const sequence of sequences) await sequence.clearHistory();
  const prefix = prompt.slice(0, -1);
  await first.evaluateWithoutGeneratingNewTokens(prefix);
  for (const sequence of others) {
    const copied = await sequence._copyStateFromOtherSequence(first, prefix.length);
    if (!copied) throw new Error("llama.cpp did not copy the prompt's state");
  }
  const last = prompt.slice(-1);
  const drawn = await Promise.all(sequences.map((sequence, seed) => draw(sequence, last, newTokens, seed)));
  return drawn.reduce((sum, count) => sum + count, 0);
}

async function draw(sequence, prompt, newTokens, seed) {
  let count = 0;
  const options = {
    temperature: sampler.temperature,
    topP: sampler.topP,
    topK: 0,
    seed,
    yieldEogToken: true,
  };
  for await (const token of sequence.evaluate(prompt, options)) {
    count += 1;
    if (count >= newTokens || ends.has(token)) break;
  }
  return count;
}
