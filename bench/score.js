// What reading the risk costs beside generating the answer: the same greedy answers with and without a probe.
// npm run bench:score -- [--model pocket|DIR] [--questions 40] [--rounds 5] [--new-tokens 160] [--threads N]

import { parseArgs } from "node:util";
import { buildPrompt, loadModel, sampleAnswers, scoreQuestion } from "../dist/index.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    questions: { type: "string", default: "40" },
    rounds: { type: "string", default: "5" },
    "new-tokens": { type: "string", default: "160" },
    threads: { type: "string", default: "1" },
  },
});
const model = await loadModel(values.model, { threads: Number(values.threads) });
const questions = Array.from(
  { length: Number(values.questions) },
  (_, i) => `What is ${13 + 7 * i} + ${25 + 3 * i}?`,
);
const sampler = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: Number(values["new-tokens"]),
  stopStrings: [],
  stopTokenIds: [],
};
const asking = { prompt_format: "auto", system_prompt: null, enable_thinking: null, sampler };

/** Weights do not matter to the time. `layer_count` 5 is the papers' window. */
const probeAt = (position, layer_count, threshold = 1) => {
  const width = layer_count * model.config.hiddenSize;
  const { weights_sha256, tokenizer_sha256 } = model.provenance;
  const rule = { kind: "risk", target: 0.1, threshold, guarantee: "", calibration_questions: 0 };
  return {
    kind: "logistic",
    target: "incorrect",
    features: "hidden-state",
    position,
    layer: 0,
    layer_count,
    width,
    source: { weights_sha256, tokenizer_sha256, norm_state: "residual" },
    C: 1,
    class_weight: "none",
    training: {},
    warnings: [],
    calibration_map: { method: "platt", slope: 1, offset: 0 },
    decisions: [{ kind: "risk", target: 0.1, threshold: rule, reason: null }],
    asking,
    mean: new Float32Array(width),
    scale: new Float32Array(width).fill(1),
    coefficients: new Float32Array(width).fill(1e-3),
    intercept: 0,
    hidden: null,
    familiarity: {
      centre: new Float32Array(width),
      directions: new Float32Array(32 * width).fill(1e-3),
      variances: new Float32Array(32).fill(1),
      residual_variance: 1,
      shrinkage: 0,
      training_questions: 210,
      distances: new Float32Array(45),
      level: 0.05,
    },
  };
};

const generate = (question) => {
  const { tokenIds } = buildPrompt(model.tokenizer, question);
  return sampleAnswers(model, tokenIds, { runIds: [0], sampler, seed: 1, streamKey: question });
};
const score = (probe, options) => (question) => scoreQuestion(model, probe, question, options);
const kinds = [
  ["the answer alone", generate],
  ["and its risk, second-to-last", score(probeAt("second-to-last", 1))],
  ["the same, five layers", score(probeAt("second-to-last", Math.min(5, model.config.blockCount + 1)))],
  ["and its risk, last-token", score(probeAt("last-token", 1))],
  ["and its risk, before-generation", score(probeAt("before-generation", 1))],
  ["the answer, traced once more", traceAgain],
  ["abstained before generation", score(probeAt("before-generation", 1, 0), { skipAbstained: true })],
];

/** What reading costs that is a pass of its own, over prompt and answer. */
async function traceAgain(question) {
  const { tokenIds } = buildPrompt(model.tokenizer, question);
  const [answer] = await generate(question);
  await model.trace([...tokenIds, ...answer.tokenIds], { layers: [1], positions: [-1] });
}

const times = kinds.map(() => []);
const processorTimes = kinds.map(() => []);
for (const [, ask] of kinds) await ask(questions[0]);
for (let round = 0; round < Number(values.rounds); round++) {
  // one question after the other, in every way: whatever slows the machine slows all of them
  const sums = kinds.map(() => 0);
  const processorSums = kinds.map(() => 0);
  for (const question of questions) {
    for (const [i, [, ask]] of kinds.entries()) {
      const startMs = performance.now();
      const before = process.cpuUsage();
      await ask(question);
      const { user, system } = process.cpuUsage(before);
      sums[i] += performance.now() - startMs;
      processorSums[i] += (user + system) / 1000;
    }
  }
  for (const [i, sum] of sums.entries()) {
    times[i].push(sum / questions.length);
    processorTimes[i].push(processorSums[i] / questions.length);
  }
}
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
// CPU time does not see what else the machine does
console.log(
  `${values.model}, ${questions.length} questions, ${values.rounds} rounds, medians, ms a question`,
);
console.log(`${"".padEnd(34)} ${"time".padStart(9)} ${"".padStart(9)} ${"CPU time".padStart(9)}`);
for (const [i, [name]] of kinds.entries()) {
  const columns = [times, processorTimes].flatMap((list) => {
    const own = median(list[i]);
    return [own.toFixed(2), `${(own / median(list[0])).toFixed(3)} x`];
  });
  console.log([name.padEnd(34), ...columns.map((text) => text.padStart(9))].join(" "));
}
await model[Symbol.asyncDispose]();
