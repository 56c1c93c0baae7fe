import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { extendRows } from "../dist/engine/generate/extend-rows.js";
import { MODEL_DTYPES } from "../dist/engine/runtime/device.js";
import { emptyKvBlock } from "../dist/engine/session/kv-block.js";

// How far a quantised model is from itself in float32, over the tokens of real questions and answers: the negative
// log-likelihood of the text (nats a token), how often the most probable next token is the same, and the KL divergence of
// the next token's distribution from float32's (nats; mean and 99th percentile). Then how fast each decodes: tokens a
// second with that many rows in a pass, all dtypes in turn, the fastest of the repeats.
//
//   npm run bench:precision -- --model SmolLM2-135M-Instruct.Q4_1.gguf --questions gsm8k_test.jsonl
//     [--count N --tokens N --threads N --repeats N]

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    questions: { type: "string" },
    count: { type: "string", default: "24" },
    /** Most of one text. */
    tokens: { type: "string", default: "200" },
    threads: { type: "string", default: "1" },
    repeats: { type: "string", default: "8" },
  },
});
const ROWS = [1, 10, 40];
const texts = readFileSync(values.questions, "utf8")
  .trim()
  .split("\n")
  .slice(0, Number(values.count))
  .map((line) => JSON.parse(line))
  .map(({ question, answer }) => `${question}\n${answer}`);

const runs = [];
for (const dtype of MODEL_DTYPES) {
  const start = performance.now();
  const model = await loadModel(values.model, { dtype, threads: Number(values.threads) });
  await extendRows(model.session, [[0]], emptyCache(model, 1));
  const seconds = (performance.now() - start) / 1000;
  runs.push({ dtype, model, seconds, surprise: 0, same: 0, divergences: [], speeds: ROWS.map(() => 0) });
}
for (const text of texts) {
  let exact;
  for (const run of runs) {
    const { ids, logprobs } = await readText(run.model, text);
    exact ??= logprobs;
    for (let token = 0; token + 1 < ids.length; token++) {
      const [here, there] = [logprobs[token], exact[token]];
      run.surprise -= here[ids[token + 1]];
      run.same += argmax(here) === argmax(there) ? 1 : 0;
      run.divergences.push(
        there.reduce((sum, logprob, id) => sum + Math.exp(logprob) * (logprob - here[id]), 0),
      );
    }
  }
}
for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
  for (const [at, rows] of ROWS.entries()) {
    for (const run of runs) run.speeds[at] = Math.max(run.speeds[at], await decode(run.model, rows));
  }
}

console.log(
  `${values.model}: ${runs[0].divergences.length} tokens; ${values.threads} threads, ${cpus()[0]?.model}`,
);
const speeds = ROWS.map((rows) => `${rows} rows`.padStart(9)).join("");
console.log(`dtype        NLL   same top   mean KL   99% KL  load s   tokens/s:${speeds}`);
for (const { dtype, model, seconds, surprise, same, divergences, speeds } of runs) {
  const count = divergences.length;
  const sorted = Float64Array.from(divergences).sort();
  const cells = [
    (surprise / count).toFixed(4).padStart(8),
    (same / count).toFixed(4).padStart(11),
    (sorted.reduce((sum, each) => sum + each, 0) / count).toFixed(5).padStart(10),
    sorted[Math.floor(0.99 * count)].toFixed(4).padStart(9),
    seconds.toFixed(1).padStart(8),
    "".padStart(12),
    ...speeds.map((speed) => speed.toFixed(0).padStart(9)),
  ];
  console.log(`${dtype.padEnd(8)}${cells.join("")}`);
  await model[Symbol.asyncDispose]();
}

function emptyCache({ config }, rows) {
  return { prefix: emptyKvBlock(config, 1), suffix: emptyKvBlock(config, rows) };
}

/** Token ids, and after each of them [V] log-probabilities of the next one. */
async function readText(model, text) {
  const ids = model.tokenizer.encode(text, { specialTokens: true }).slice(0, Number(values.tokens));
  const predict = ids.map((_, offset) => ({ row: 0, offset }));
  const { logits } = await extendRows(model.session, [ids], {
    ...emptyCache(model, 1),
    predict,
    keepKv: false,
  });
  const size = model.config.vocabularySize;
  return { ids, logprobs: ids.map((_, i) => logSoftmax(logits.subarray(i * size, (i + 1) * size))) };
}

/** Tokens a second of one decoding step. */
async function decode(model, rows) {
  const { prefix } = await model.prefill({ tokenIds: [5, 6, 7, 8, 9, 10, 11, 12] });
  const tokens = Array.from({ length: rows }, (_, row) => [row * 7 + 3]);
  const predict = tokens.map((_, row) => ({ row, offset: 0 }));
  const cache = { ...emptyCache(model, rows), prefix };
  const start = performance.now();
  await extendRows(model.session, tokens, { ...cache, predict });
  return (1000 * rows) / (performance.now() - start);
}

function logSoftmax(logits) {
  const largest = logits.reduce((most, logit) => Math.max(most, logit));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Float32Array.from(logits, (logit) => logit - largest - Math.log(sum));
}

function argmax(numbers) {
  let best = 0;
  for (let at = 1; at < numbers.length; at++) if (numbers[at] > numbers[best]) best = at;
  return best;
}
