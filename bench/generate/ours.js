import { readFileSync } from "node:fs";
import pMap from "p-map";
import { openLocal } from "../../dist/index.js";

// This package in process, through its public functions: opened, warmed up, and all questions given to it at once. See
// ../generate.js.

const { weights, dtype, threads, prompts, samples, sampler } = JSON.parse(
  readFileSync(process.argv[2], "utf8"),
);
const { answers } = await returned(openLocal(weights, { dtype, threads }));
const engine = await returned(answers.openSampler(prompts));
const loadSeconds = process.uptime();
await sample(prompts.slice(0, 2 * engine.concurrency), 8);
const began = performance.now();
const tokens = await sample(prompts, sampler.maxNewTokens);
const seconds = (performance.now() - began) / 1000;
process.stdout.write(JSON.stringify({ tokens, seconds, loadSeconds, concurrency: engine.concurrency }), () =>
  process.exit(0),
);

async function sample(asked, maxNewTokens) {
  const runIds = Array.from({ length: samples }, (_, run) => run);
  const options = { runIds, sampler: { ...sampler, maxNewTokens }, seed: 1 };
  const all = await pMap(asked, (prompt, at) => engine.draw(prompt, { ...options, streamKey: String(at) }), {
    concurrency: engine.concurrency,
  });
  return all.flat().reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
}

/** What a generator of events returns. */
async function returned(events) {
  for (;;) {
    const { done, value } = await events.next();
    if (done) return value;
  }
}
