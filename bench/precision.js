// How far a model in fewer bits is from itself in float32, over the tokens of real questions and answers: the surprise at
// the text (nats a token), how often the likeliest next token is the same, and the mean KL divergence of the next
// token's distribution from float32's (nats).
//
//   npm run bench:precision -- --model SmolLM2-135M-Instruct.Q4_1.gguf --questions gsm8k_test.jsonl [--count N]
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { extendRows } from "../dist/engine/generate/extend-rows.js";
import { MODEL_DTYPES } from "../dist/engine/language-model.js";
import { emptyKvBlock } from "../dist/engine/session/kv-block.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    questions: { type: "string" },
    count: { type: "string", default: "24" },
  },
});
const MOST_TOKENS = 200; // of one text; all logits are kept
const texts = readFileSync(values.questions, "utf8")
  .trim()
  .split("\n")
  .slice(0, Number(values.count))
  .map((line) => JSON.parse(line))
  .map(({ question, answer }) => `${question}\n${answer}`);

const reference = [];
console.log("dtype     surprise   same likeliest   KL from float32");
for (const dtype of MODEL_DTYPES) {
  const model = await loadModel(values.model, { dtype });
  let [tokens, surprise, same, divergence] = [0, 0, 0, 0];
  for (const [at, text] of texts.entries()) {
    const { ids, logprobs } = await readText(model, text);
    reference[at] ??= logprobs;
    for (let token = 0; token + 1 < ids.length; token++) {
      const [here, exact] = [logprobs[token], reference[at][token]];
      tokens += 1;
      surprise -= here[ids[token + 1]];
      same += argmax(here) === argmax(exact) ? 1 : 0;
      exact.forEach((logprob, id) => {
        divergence += Math.exp(logprob) * (logprob - here[id]);
      });
    }
  }
  const column = (sum, digits, width) => (sum / tokens).toFixed(digits).padStart(width);
  console.log(
    `${dtype.padEnd(8)} ${column(surprise, 4, 9)} ${column(same, 4, 16)} ${column(divergence, 5, 17)}`,
  );
  await model[Symbol.asyncDispose]();
}

/** Token ids, and after each of them [V] log-probabilities of the next one. */
async function readText(model, text) {
  const { config, session, tokenizer } = model;
  const ids = tokenizer.encode(text, { specialTokens: true }).slice(0, MOST_TOKENS);
  const { logits } = await extendRows(session, [ids], {
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 1),
    predict: ids.map((_, offset) => ({ row: 0, offset })),
    keepKv: false,
  });
  const size = config.vocabularySize;
  return { ids, logprobs: ids.map((_, i) => logSoftmax(logits.subarray(i * size, (i + 1) * size))) };
}

function logSoftmax(logits) {
  const largest = logits.reduce((most, logit) => Math.max(most, logit));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Float32Array.from(logits, (logit) => logit - largest - Math.log(sum));
}

function argmax(numbers) {
  let best = 0;
  numbers.forEach((number, at) => {
    if (number > numbers[best]) best = at;
  });
  return best;
}
