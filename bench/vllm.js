// Answers a second of a vLLM server beside the local engine's on the same machine, alternating: the same questions through the
// same chat template, as many samples each, as long answers.
//
//   npm run bench:vllm -- --url http://127.0.0.1:8000 --served NAME --model FOLDER|pocket
import { parseArgs } from "node:util";
import { createLocalBackend } from "../dist/backends/local/local-backend.js";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { buildPrompt } from "../dist/engine/tokenizer/build-prompt.js";
import { mapConcurrently } from "../dist/study/map-concurrently.js";

const { values } = parseArgs({
  options: {
    url: { type: "string", default: "http://127.0.0.1:8000" },
    served: { type: "string", default: "pocket" },
    model: { type: "string", default: "pocket" },
    questions: { type: "string", default: "32" },
    samples: { type: "string", default: "10" },
    tokens: { type: "string", default: "64" },
    rounds: { type: "string", default: "3" },
    concurrency: { type: "string", default: "16" },
  },
});
const [count, samples, maxNewTokens, rounds, concurrency] = [
  values.questions,
  values.samples,
  values.tokens,
  values.rounds,
  values.concurrency,
].map(Number);
const SAMPLING = { temperature: 0.6, topP: 0.9 };

const model = await loadModel(values.model);
const questions = Array.from({ length: count }, (_, i) => {
  const [a, b] = [12 + 7 * i, 3 + 5 * i];
  return `A baker has ${a} rolls and bakes ${b} more every hour. How many are there after ${2 + (i % 5)} hours?`;
});
const prompts = questions.map((question) => buildPrompt(model.tokenizer, question));
const runIds = Array.from({ length: samples }, (_, run) => run);

const backend = createLocalBackend(model);
const sampler = await backend.openSampler(count);
const SIDES = {
  vllm: { concurrency, draw: askServer },
  local: { concurrency: sampler.concurrency, draw: drawLocally },
};

for (const { draw } of Object.values(SIDES)) await draw(prompts[0], 0); // warm
const best = {};
for (let round = 0; round < rounds; round++) {
  for (const [name, { concurrency, draw }] of Object.entries(SIDES)) {
    const began = performance.now();
    let [answers, tokens] = [0, 0];
    for await (const lengths of mapConcurrently(prompts, (prompt) => draw(prompt, round), { concurrency })) {
      answers += lengths.length;
      tokens += lengths.reduce((sum, length) => sum + length, 0);
    }
    const seconds = (performance.now() - began) / 1000;
    const rate = { answers: answers / seconds, tokens: tokens / seconds };
    if (!(best[name]?.answers > rate.answers)) best[name] = rate;
    console.log(
      `round ${round + 1}: ${name}: ${answers} answers, ${tokens} tokens in ${seconds.toFixed(1)} s`,
    );
  }
}
for (const [name, { answers, tokens }] of Object.entries(best))
  console.log(`${name}: ${answers.toFixed(2)} answers/s, ${tokens.toFixed(0)} tokens/s (best of ${rounds})`);
await sampler[Symbol.asyncDispose]();
await model[Symbol.asyncDispose]();

async function askServer({ tokenIds }, seed) {
  const response = await fetch(`${values.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: values.served,
      prompt: tokenIds,
      n: samples,
      seed,
      temperature: SAMPLING.temperature,
      top_p: SAMPLING.topP,
      max_tokens: maxNewTokens,
      logprobs: 20,
      return_token_ids: true,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer.choices.map(({ token_ids }) => token_ids.length);
}

async function drawLocally(prompt, seed) {
  const answers = await sampler.draw(prompt, {
    runIds,
    sampler: {
      ...SAMPLING,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      maxNewTokens,
      stopStrings: [],
      stopTokenIds: [],
    },
    seed,
    streamKey: prompt.text,
  });
  return answers.map(({ tokenIds }) => tokenIds.length);
}
