// Sampling speed on real prompts: K answers to GSM8K questions, zero-shot (chat template) and five-shot, by our engine
// in float32, int8 and int4, by Python transformers' generate, and by llama.cpp (its server through xllamacpp, and
// node-llama-cpp), on the same weights, prompt tokens, sampler and threads, in turn. Every engine loads, warms up, and is
// timed from its first prompt to its last.
//
//   npm run bench:generate -- --model SmolLM2-135M-Instruct.Q4_1.gguf --questions gsm8k_test.jsonl --shots gsm8k_train.jsonl \
//     [--python PYTHON-WITH-TRANSFORMERS] [--llama FOLDER-WITH-NODE-LLAMA-CPP]
//     [--llama-python PYTHON-WITH-XLLAMACPP] [--count N --samples K --new-tokens N --rounds N --prompts five-shot]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { buildPrompt } from "../dist/engine/tokenizer/build-prompt.js";
import { takeShots } from "../dist/engine/tokenizer/few-shot.js";
import { loadQuestions } from "../dist/samples/load-questions.js";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    questions: { type: "string" },
    shots: { type: "string" },
    python: { type: "string" },
    llama: { type: "string" },
    "llama-python": { type: "string" },
    count: { type: "string", default: "8" },
    samples: { type: "string", default: "10" },
    "new-tokens": { type: "string", default: "64" },
    rounds: { type: "string", default: "3" },
    prompts: { type: "string", default: "zero-shot,five-shot" },
  },
});
const sampler = {
  temperature: 0.6,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: Number(values["new-tokens"]),
  stopStrings: [],
  stopTokenIds: [],
};
const script = (name) => fileURLToPath(new URL(`generate/${name}`, import.meta.url));
const engines = [
  { name: "ours, float32", run: (job) => [process.execPath, script("ours.js"), job("float32")] },
  { name: "ours, int8", run: (job) => [process.execPath, script("ours.js"), job("int8")] },
  { name: "ours, int4", run: (job) => [process.execPath, script("ours.js"), job("int4")] },
  values.python && {
    name: "transformers",
    run: (job) => [values.python, script("transformers_generate.py"), job("float32")],
  },
  values["llama-python"] && {
    name: "llama.cpp server",
    run: (job) => [values["llama-python"], script("llama_server.py"), job("float32")],
  },
  values.llama && {
    name: "node-llama-cpp",
    run: (job) => [process.execPath, script("llama.js"), job("float32"), resolve(values.llama)],
  },
].filter(Boolean);

let endTokens;
const folder = mkdtempSync(join(tmpdir(), "bench-generate-"));
try {
  for (const kind of values.prompts.split(",")) {
    const prompts = await makePrompts(kind);
    const lengths = prompts.map(({ ids }) => ids.length);
    console.log(
      `${kind}: ${prompts.length} prompts of ${Math.min(...lengths)} to ${Math.max(...lengths)} tokens, K = ${values.samples}, at most ${values["new-tokens"]} new tokens, ${availableParallelism()} threads`,
    );
    const results = new Map(engines.map(({ name }) => [name, []]));
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const { name, run } of engines) {
        const [command, ...args] = run((dtype) => writeJob(prompts, dtype));
        const output = execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
        results.get(name).push(JSON.parse(output.trim().split("\n").at(-1)));
      }
    }
    for (const [name, runs] of results) {
      const speed = median(runs.map(({ tokens, seconds }) => tokens / seconds));
      const seconds = median(runs.map((run) => run.seconds));
      const peak = median(runs.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20;
      console.log(
        `  ${name.padEnd(16)} ${speed.toFixed(0).padStart(5)} tokens/s   ${seconds.toFixed(1).padStart(6)} s   ${runs[0].tokens} tokens   peak ${peak.toFixed(0)} MiB`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function makePrompts(kind) {
  const model = await loadModel(values.model);
  const { questions } = await loadQuestions(values.questions, { limit: Number(values.count) });
  const { questions: examples } = await loadQuestions(values.shots, { limit: 5 });
  const format = kind === "zero-shot" ? "chat" : { kind: "few-shot", shots: takeShots(examples) };
  const prompts = questions.map(({ question }) => {
    const { text, tokenIds } = buildPrompt(model.tokenizer, question, { format });
    return { text, ids: tokenIds };
  });
  await model[Symbol.asyncDispose]();
  endTokens ??= [...model.endTokenIds];
  return prompts;
}

function writeJob(prompts, dtype) {
  const path = join(folder, `${dtype}.json`);
  const job = { model: resolve(values.model), prompts, samples: Number(values.samples), sampler, dtype };
  writeFileSync(path, JSON.stringify({ ...job, threads: availableParallelism(), endTokens }));
  return path;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
