import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadTextClassifier } from "../dist/checkpoint/encoders/load-text-classifier.js";
import { openTokenizer, readTokenizerFiles } from "../dist/checkpoint/tokenizer/load-text-tokenizer.js";
import { encodeTexts } from "../dist/engine/encoders/text-encoder.js";
import { readTextTemplate } from "../dist/engine/tokenizer/text-template.js";
import { createRng } from "../dist/math/rng.js";
import { clusterQuestions } from "../dist/meaning/cluster-answers.js";
import { createClassifierEntailer } from "../dist/meaning/entailer.js";
import { createNliEquivalence } from "../dist/meaning/nli-equivalence.js";
import { loadQuestions } from "../dist/samples/load-questions.js";
import { createCachedEntailer } from "../dist/study/meaning/disk-caches.js";

// NLI speed against Python transformers on CPU torch: the same weights (random, in the shape of
// cross-encoder/nli-deberta-v3-small), the same pairs, the same threads, batch for batch and in turn; and end to end,
// K answers to each question into clusters, against the loop over pairs that published code has.
//
//   npm run bench:meaning -- --python PYTHON-WITH-TRANSFORMERS [--model FOLDER --threads N --rounds N --batch N]
//     [--questions N --reference-questions N --samples K]

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    model: { type: "string" },
    threads: { type: "string", default: String(availableParallelism()) },
    rounds: { type: "string", default: "5" },
    batch: { type: "string", default: "32" },
    questions: { type: "string", default: "200" },
    "reference-questions": { type: "string", default: "10" },
    samples: { type: "string", default: "10" },
  },
});
const threads = Number(values.threads);
/** Ways to put an answer, with how often each is met among samples of a model. */
const WORDINGS = [
  [0.55, (answer) => answer],
  [0.2, (answer) => `${answer}.`],
  [0.12, (answer) => `It is ${answer}.`],
  [0.08, (answer) => `The answer is ${answer}.`],
  [0.05, (answer) => `I think that it is ${answer}.`],
];
/** Onnxruntime's and torch's threads spin for a while after they are done. */
const REST_MS = 60;

const folder = mkdtempSync(join(tmpdir(), "bench-meaning-"));
try {
  const model = values.model ?? join(folder, "model");
  const script = (name) => fileURLToPath(new URL(`meaning/${name}`, import.meta.url));
  if (values.model === undefined)
    execFileSync(values.python, [script("make_model.py"), model], { stdio: "ignore" });
  const studies = await makeStudies();
  const pairs = studies.flatMap(allPairs);
  const lengths = await measureTokens(model, pairs);
  console.log(
    `${studies.length} questions, K = ${values.samples}: ${mean(studies.map(({ answers }) => new Set(answers).size)).toFixed(1)} different texts each; ` +
      `${pairs.length} ordered pairs of ${Math.min(...lengths.map(({ tokenIds }) => tokenIds.length))} to ${Math.max(...lengths.map(({ tokenIds }) => tokenIds.length))} tokens; ${threads} threads`,
  );
  const reference = await startReference(script("transformers_nli.py"), model);
  const engines = [];
  for (const dtype of ["float32", "int8"]) {
    engines.push({ name: `ours, ${dtype}`, classifier: await loadTextClassifier(model, { dtype, threads }) });
  }
  await compareBatches(engines, reference, pairs, lengths);
  for (const engine of engines) await runEndToEnd(engine, studies);
  await runReference(reference, studies);
  for (const { classifier } of engines) await classifier[Symbol.asyncDispose]();
  reference.stop();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The same batches, in turn, for some rounds; the first of each warms up. */
async function compareBatches(engines, reference, pairs, encoded) {
  const size = Number(values.batch);
  const starts = Array.from(
    { length: Number(values.rounds) + 1 },
    (_, i) => (i * 7 * size) % (pairs.length - size),
  );
  const times = new Map([...engines.map(({ name }) => [name, []]), ["transformers", []]]);
  const errors = new Map(engines.map(({ name }) => [name, 0]));
  for (const [round, start] of starts.entries()) {
    const inputs = encoded.slice(start, start + size);
    const longest = Math.max(...inputs.map(({ tokenIds }) => tokenIds.length));
    const pad = (row, fill) => [...row, ...new Array(longest - row.length).fill(fill)];
    const answer = await reference.ask({
      ids: inputs.map(({ tokenIds }) => pad(tokenIds, 0)),
      mask: inputs.map(({ tokenIds }) =>
        pad(
          tokenIds.map(() => 1),
          0,
        ),
      ),
    });
    if (round > 0) times.get("transformers").push(answer);
    for (const { name, classifier } of engines) {
      await pause(REST_MS);
      const { result, ...time } = await measure(() => classifier.classify(pairs.slice(start, start + size)));
      if (round > 0) times.get(name).push(time);
      const differences = result.flatMap(({ logits }, row) =>
        [...logits].map((x, i) => Math.abs(x - answer.logits[row][i])),
      );
      errors.set(name, Math.max(errors.get(name), ...differences));
    }
    await pause(REST_MS);
  }
  console.log(`batches of ${size} pairs, median of ${values.rounds} in turn:`);
  const base = summarise(times.get("transformers"));
  for (const [name, all] of times) {
    const { seconds, cpuSeconds } = summarise(all);
    const error = errors.has(name)
      ? `, largest difference of a logit ${errors.get(name).toExponential(1)}`
      : "";
    console.log(
      `  ${name.padEnd(14)} ${(size / seconds).toFixed(1).padStart(6)} pairs/s (x ${(base.seconds / seconds).toFixed(2)}), ${((1000 * cpuSeconds) / size).toFixed(1)} ms of CPU time a pair (x ${(base.cpuSeconds / cpuSeconds).toFixed(2)})${error}`,
    );
  }
}

/** As `sep entropy` does it: every pair of different texts, both ways, and greedy groups; then again from the cache. */
async function runEndToEnd({ name, classifier }, studies) {
  const entailer = await createClassifierEntailer(classifier, { selfTest: false });
  const cached = await createCachedEntailer(entailer, { folder: join(folder, name) });
  // the weights are random, so the meanings that the texts were made with stand for the verdicts
  const meaningOf = new Map(
    studies.flatMap(({ question, answers, meanings }) =>
      answers.map((answer, i) => [`${question} ${answer}`, meanings[i]]),
    ),
  );
  const knowing = {
    ...cached,
    async classify(pairs, options) {
      await cached.classify(pairs, options);
      return pairs.map(([a, b]) => {
        const same = meaningOf.get(a) === meaningOf.get(b);
        return { entailment: Number(same), neutral: Number(!same), contradiction: 0, truncated: false };
      });
    },
  };
  for (const run of ["computed", "from the cache"]) {
    const { result, seconds, cpuSeconds } = await measure(() =>
      clusterQuestions(studies, createNliEquivalence(knowing)),
    );
    const wrong = result.filter(({ clusterCount }, i) => clusterCount !== new Set(studies[i].meanings).size);
    if (wrong.length > 0) throw new Error(`${wrong.length} questions have other groups than their meanings`);
    console.log(
      `end to end, ${name}, ${run}: ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU time`,
    );
  }
}

/** Some of the questions, and all of them at that rate a call. */
async function runReference(reference, studies) {
  const some = studies.slice(0, Number(values["reference-questions"]));
  const { seconds, cpuSeconds, forwards } = await reference.ask({ questions: some });
  const calls = studies.reduce((sum, study) => sum + countLoopCalls(study), 0);
  console.log(
    `end to end, loop over pairs: ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU time for ${forwards} calls of ${some.length} questions; ` +
      `${((seconds * calls) / forwards).toFixed(0)} s, ${((cpuSeconds * calls) / forwards).toFixed(0)} s of CPU time for the ${calls} calls of ${studies.length}`,
  );
}

/** Every founder of a cluster is held against all answers behind it, both ways. */
function countLoopCalls({ meanings }) {
  const founders = meanings.flatMap((meaning, i) => (meanings.indexOf(meaning) === i ? [i] : []));
  return founders.reduce((sum, i) => sum + 2 * (meanings.length - 1 - i), 0);
}

/** K answers to each question: a few meanings, the likelier ones more often, each in some wordings. */
async function makeStudies() {
  const { questions } = await loadQuestions("questions/general.jsonl", { limit: Number(values.questions) });
  return questions.map(({ question, answer }, index) => {
    const rng = createRng("bench-meaning", index);
    const others = Array.from({ length: 3 }, () => questions[rng.integer(questions.length)].answer);
    const sureness = 0.4 + 0.6 * rng.next();
    const drawn = Array.from({ length: Number(values.samples) }, () => {
      const meaning = rng.next() < sureness ? answer : others[rng.integer(others.length)];
      return { meaning, text: pick(WORDINGS, rng)(meaning) };
    });
    return {
      question,
      answers: drawn.map(({ text }) => text),
      meanings: drawn.map(({ meaning }) => meaning),
    };
  });
}

function pick(weighted, rng) {
  let left = rng.next();
  for (const [weight, item] of weighted) {
    left -= weight;
    if (left < 0) return item;
  }
  return weighted[0][1];
}

function allPairs({ question, answers }) {
  const texts = [...new Set(answers)].map((answer) => `${question} ${answer}`);
  return texts.flatMap((a) => texts.filter((b) => a !== b).map((b) => [a, b]));
}

async function measureTokens(model, pairs) {
  const files = await readTokenizerFiles(model);
  const { tokenizer, postProcessor } = await openTokenizer(files);
  const template = readTextTemplate(files.path, postProcessor);
  return encodeTexts({ tokenizer, template, maxTokens: 512 }, pairs);
}

async function startReference(script, model) {
  const child = spawn(values.python, [script, model, String(threads)], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, OMP_WAIT_POLICY: "passive" },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    async ask(job) {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      return JSON.parse((await lines.next()).value);
    },
    stop: () => child.stdin.end(),
  };
}

async function measure(work) {
  const began = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
}

function summarise(times) {
  return {
    seconds: median(times.map((time) => time.seconds)),
    cpuSeconds: median(times.map((time) => time.cpuSeconds)),
  };
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
