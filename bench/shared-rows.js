import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import pMap from "p-map";
import { buildPrompt, loadModel, openLocal } from "../dist/index.js";

// How many of a question's samples are different rows at each token: samples with the same tokens so far are run as one.
// Prints the share of rows that are run, over all tokens, and rows per question at some of them. See ../docs/batching.md.
//
//   node bench/shared-rows.js --model MODEL.gguf --questions FILE.jsonl [--temperature 0.6 --top-p 0.9 --tokens 48]

const SAMPLES = 10;
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    questions: { type: "string" },
    count: { type: "string", default: "16" },
    temperature: { type: "string", default: "0.6" },
    "top-p": { type: "string", default: "0.9" },
    tokens: { type: "string", default: "48" },
  },
});
const maxNewTokens = Number(values.tokens);
const questions = readFileSync(values.questions, "utf8").trim().split("\n").slice(0, Number(values.count));
const model = await loadModel(values.model);
const prompts = questions.map((line) => buildPrompt(model.tokenizer, JSON.parse(line).question));
await model[Symbol.asyncDispose]();
const { answers } = await returned(openLocal(values.model, { dtype: "int8" }));
const engine = await returned(answers.openSampler(prompts));
const off = { topK: 0, minP: 0, repetitionPenalty: 1, stopStrings: [], stopTokenIds: [] };
const sampler = {
  ...off,
  temperature: Number(values.temperature),
  topP: Number(values["top-p"]),
  maxNewTokens,
};
const runIds = Array.from({ length: SAMPLES }, (_, run) => run);
const all = await pMap(
  prompts,
  (prompt, at) => engine.draw(prompt, { runIds, sampler, seed: 1, streamKey: String(at) }),
  { concurrency: engine.concurrency },
);
const at = Array.from({ length: maxNewTokens }, (_, token) => countAt(token + 1));
const sum = (key) => at.reduce((total, each) => total + each[key], 0);
console.log(
  `rows that are run: ${((100 * sum("distinct")) / sum("samples")).toFixed(0)}% of the samples' tokens`,
);
for (const token of [1, 2, 4, 8, 16, 32].filter((each) => each <= maxNewTokens))
  console.log(
    `token ${token}: ${((SAMPLES * at[token - 1].distinct) / at[token - 1].samples).toFixed(1)} of ${SAMPLES} rows`,
  );
process.exit(0);

/** Over all questions, of samples that have so many tokens. */
function countAt(length) {
  const counts = { distinct: 0, samples: 0 };
  for (const samples of all) {
    const long = samples.filter(({ tokenIds }) => tokenIds.length >= length);
    counts.samples += long.length;
    counts.distinct += new Set(long.map(({ tokenIds }) => String(tokenIds.slice(0, length)))).size;
  }
  return counts;
}

/** What a generator of events returns. */
async function returned(events) {
  for (;;) {
    const { done, value } = await events.next();
    if (done) return value;
  }
}
