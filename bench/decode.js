// Decoding speed of the local engine with the prompt's keys and values shared by all samples, beside a naive run
// that keeps a copy of them per sample. Both are the same graph on the same weights, in turn, in one process.
//
//   npm run bench:decode [-- --model DIRECTORY --dtype int8 --threads N --steps N --repeats N]
import { parseArgs } from "node:util";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { extendRows } from "../dist/engine/generate/extend-rows.js";
import { emptyKvBlock, selectKvRows } from "../dist/engine/session/kv-block.js";

const SAMPLE_COUNTS = [1, 10, 20];
const PROMPT_TOKENS = [32, 512];

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    threads: { type: "string" },
    dtype: { type: "string", default: "float32" },
    steps: { type: "string", default: "64" },
    repeats: { type: "string", default: "5" },
  },
});
const steps = Number(values.steps);
const repeats = Number(values.repeats);
const threads = values.threads === undefined ? undefined : Number(values.threads);
const model = await loadModel(values.model, { threads, dtype: values.dtype });
const { config, session } = model;

console.log(
  `${values.model}: ${config.blockCount} blocks, D ${config.hiddenSize}, V ${config.vocabularySize}`,
);
console.log(
  `${steps} steps, median of ${repeats} runs in turn, one stream (no worker threads), node ${process.version}`,
);
console.log("prompt   K   shared tok/s   naive tok/s   ratio   largest logit difference");
for (const promptTokens of PROMPT_TOKENS) {
  const promptIds = Array.from({ length: promptTokens }, (_, i) => (i * 31 + 7) % config.vocabularySize);
  const prompt = await extendRows(session, [promptIds], {
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 1),
  });
  for (const samples of SAMPLE_COUNTS) {
    const shared = { prefix: prompt.suffix, suffix: emptyKvBlock(config, samples) };
    const everyCopy = selectKvRows(config, prompt.suffix, new Array(samples).fill(0));
    const naive = { prefix: emptyKvBlock(config, 1), suffix: everyCopy };
    const times = { shared: [], naive: [] };
    let difference = 0;
    for (let repeat = 0; repeat <= repeats; repeat++) {
      const a = await decode(shared, samples);
      const b = await decode(naive, samples);
      if (repeat === 0) {
        a.logits.forEach((logit, i) => {
          difference = Math.max(difference, Math.abs(logit - b.logits[i]));
        });
        continue; // warm-up
      }
      times.shared.push(a.ms);
      times.naive.push(b.ms);
    }
    const speed = (ms) => (samples * steps) / (median(ms) / 1000);
    const [fast, slow] = [speed(times.shared), speed(times.naive)];
    const cells = [
      promptTokens,
      samples,
      fast.toFixed(0),
      slow.toFixed(0),
      (fast / slow).toFixed(2),
      difference.toExponential(1),
    ];
    console.log(cells.map((cell, i) => String(cell).padStart([6, 4, 15, 14, 8, 27][i])).join(""));
  }
}
await model[Symbol.asyncDispose]();
console.log(`peak RSS ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);

/** Decodes fixed tokens, each sample others, so that both runs do the same work. */
async function decode({ prefix, suffix: start }, samples) {
  let suffix = start;
  let logits;
  const began = performance.now();
  for (let step = 0; step < steps; step++) {
    const tokens = Array.from({ length: samples }, (_, row) => [
      (step * 13 + row * 5 + 1) % config.vocabularySize,
    ]);
    const predict = tokens.map((_, row) => ({ row, offset: 0 }));
    ({ suffix, logits } = await extendRows(session, tokens, { prefix, suffix, predict }));
  }
  return { ms: performance.now() - began, logits };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
