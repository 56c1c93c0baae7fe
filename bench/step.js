// Where the time of a decoding step goes: milliseconds of each operator, by onnxruntime's profile, on one thread.
//
//   npm run bench:step -- --model MODEL.gguf --questions FILE.jsonl [--dtype int8 --rows 80 --tokens 48]
//     [--shots 5] [--shapes] [--prompts]
//
// A step extends answers to rows / 10 questions, ten samples each, while all of them run. `between` is what is left of a
// step: choosing tokens, keeping keys and values, and what goes in and out of onnxruntime. With --shots, so many of the
// questions stand before each prompt as examples. --shapes lists operators by the shapes that they compute on; --prompts is
// about the passes of prompts instead of steps.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { InferenceSession } from "onnxruntime-node";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { createBatcher } from "../dist/engine/generate/batcher.js";
import { sampleAnswers } from "../dist/engine/generate/generate.js";
import { emptyKvBlock } from "../dist/engine/session/kv-block.js";
import { buildPrompt } from "../dist/engine/tokenizer/build-prompt.js";
import { takeShots } from "../dist/engine/tokenizer/prompt-format.js";
import { describeCpu } from "./generate/describe-cpu.js";

const SAMPLES = 10;
/** Steps count that have at least this share of the rows. */
const FULL = 0.9;
/** Fewer are shown together. */
const SHOWN_MS = 0.5;

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "pocket" },
    questions: { type: "string" },
    dtype: { type: "string", default: "int8" },
    rows: { type: "string", default: "80" },
    tokens: { type: "string", default: "48" },
    shots: { type: "string", default: "0" },
    shapes: { type: "boolean", default: false },
    prompts: { type: "boolean", default: false },
  },
});
const rows = Number(values.rows);
const folder = mkdtempSync(join(tmpdir(), "bench-step-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

let opened = 0;
const create = InferenceSession.create.bind(InferenceSession);
InferenceSession.create = async (model, options) => {
  const profileFilePrefix = join(folder, `session-${opened++}`);
  return create(model, { ...options, enableProfiling: true, profileFilePrefix });
};

const model = await loadModel(values.model, { threads: 1, dtype: values.dtype });
/** Of each pass in order: whether it is a step of all rows, and when it began and ended. */
const passes = [];
const session = {
  ...model.session,
  async run(pass) {
    const isPrompt = pass.tokenIds.length > pass.rows;
    const at = {
      // samples that still agree are one row
      counts: values.prompts ? isPrompt : !isPrompt && pass.rows >= FULL * rows,
      tokens: pass.tokenIds.length,
      rows: pass.rows,
      began: performance.now(),
      ended: 0,
    };
    passes.push(at);
    try {
      return await model.session.run(pass);
    } finally {
      at.ended = performance.now();
    }
  },
};
const batcher = createBatcher({ session, threads: 1 }, { rows, kvBytes: 2 ** 31 });
const set =
  values.questions === undefined
    ? [{ question: "What is 17 + 25?", answer: "42" }]
    : readFileSync(values.questions, "utf8").trim().split("\n").map(JSON.parse);
const shots = takeShots(set.slice(0, Number(values.shots)));
const questions = set.slice(shots.length).map(({ question }) => question);
const format = shots.length > 0 ? { kind: "few-shot", shots } : "auto";
const sampler = {
  ...{ temperature: 0.6, topP: 0.9, topK: 0, minP: 0, repetitionPenalty: 1 },
  ...{ maxNewTokens: Number(values.tokens), stopStrings: [], stopTokenIds: [] },
};
// the first pass opens the model
await model.session.run({
  ...{ tokenIds: [0], rows: 1, logitRows: [0], traceRows: [], layers: [], finalNorm: false, kv: null },
  ...{ prefix: emptyKvBlock(model.config, 1), suffix: emptyKvBlock(model.config, 1) },
});
await Promise.all(
  Array.from({ length: rows / SAMPLES }, (_, index) => {
    const { tokenIds, sharedTokens } = buildPrompt(model.tokenizer, questions[index % questions.length], {
      format,
    });
    const runIds = Array.from({ length: SAMPLES }, (_, run) => run);
    const own = { ...model, batcher, endTokenIds: new Set() };
    const options = { runIds, sampler, seed: 1, streamKey: String(index), sharedTokens };
    return sampleAnswers(own, tokenIds, options);
  }),
);
await model[Symbol.asyncDispose](); // writes the profile

const events = readdirSync(folder)
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
  .map((all) => all.filter((event) => event.ph === "X"))
  .find((all) => all.filter(({ name }) => name === "model_run").length === passes.length + 1);
const [, ...runs] = events.filter(({ name }) => name === "model_run").sort((a, b) => a.ts - b.ts);
const steps = passes.flatMap(({ counts }, index) => (counts ? [index] : []));
if (steps.length === 0)
  throw new Error("No step had enough rows: samples agreed to the end. Ask other questions.");
const spans = steps.map((index) => runs[index]);
const byOperator = new Map();
for (const { cat, ts, dur, args } of events) {
  if (cat !== "Node" || args?.op_name === undefined) continue;
  if (!spans.some((span) => ts >= span.ts && ts < span.ts + span.dur)) continue;
  // a body's operators are within it
  if (args.op_name === "Scan") continue;
  const name = values.shapes ? `${args.op_name} ${shapesOf(args)}` : args.op_name;
  const before = byOperator.get(name) ?? { ms: 0, count: 0 };
  byOperator.set(name, {
    ms: before.ms + dur / 1000 / steps.length,
    count: before.count + 1 / steps.length,
  });
}
const operators = [...byOperator].sort(([, a], [, b]) => b.ms - a.ms);
const shown = operators.filter(([, { ms }]) => ms >= SHOWN_MS);
const others = operators.filter(([, { ms }]) => ms < SHOWN_MS);
const sum = (list) => list.reduce((total, [, { ms }]) => total + ms, 0);
const meanRows = steps.reduce((total, index) => total + passes[index].rows, 0) / steps.length;
const meanTokens = steps.reduce((total, index) => total + passes[index].tokens, 0) / steps.length;
/** Steps follow each other; a pass of a prompt ends where it does. */
const gaps = values.prompts ? steps : steps.filter((index) => steps.includes(index + 1));
const endOf = (index) => (values.prompts ? passes[index].ended : passes[index + 1].began);
const stepMs = gaps.reduce((total, index) => total + endOf(index) - passes[index].began, 0) / gaps.length;
/** The sizes of a pass and of the model; rows that join and leave must not tell like operators apart. */
function shapesOf({ input_type_shape: inputs = [] }) {
  return inputs
    .flatMap((input) => Object.values(input))
    .map((dims) => `[${dims.map((size) => (size > FULL * rows && size <= rows ? "B" : size))}]`)
    .join(" ");
}

console.log(`${describeCpu()}; Node ${process.version}; profiled, which takes time itself`);
console.log(
  `${values.model}, ${values.dtype}, ${steps.length} passes of ${meanRows.toFixed(0)} rows, ${meanTokens.toFixed(0)} tokens, on one thread\n`,
);
console.log("| operator | nodes | ms |\n| --- | --: | --: |");
for (const [name, { ms, count }] of shown)
  console.log(`| ${name} | ${count.toFixed(0)} | ${ms.toFixed(1)} |`);
console.log(`| ${others.length} others | | ${sum(others).toFixed(1)} |`);
console.log(`| between | | ${(stepMs - sum(operators)).toFixed(1)} |`);
console.log(`| a pass | | ${stepMs.toFixed(1)} |`);
process.exit(0);
