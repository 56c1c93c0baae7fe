import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildPrompt, loadModel, takeShots } from "../../dist/index.js";

/** How many worked examples stand before a question of the five-shot workload; they are not asked. */
export const SHOTS = 5;

/** What is asked of every engine. In `mixed`, most answers end by themselves. */
export const WORKLOADS = {
  "zero-shot": { promptFormat: "auto", questions: 64, maxNewTokens: 48 },
  "five-shot": { promptFormat: "few-shot", questions: 64, maxNewTokens: 48 },
  mixed: { promptFormat: "auto", questions: 500, maxNewTokens: 256 },
};

/** Every workload's job: the same prompts, as token ids, and the same sampler for every engine. */
export async function makeJobs({ weights, study, names, limits, samples, temperature, topP, threads }) {
  const rows = readFileSync(join(study, "data", "math_raw.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map(JSON.parse);
  const model = await loadModel(weights);
  const jobs = names.map((name) => {
    const { promptFormat, questions, maxNewTokens } = WORKLOADS[name];
    const count = Math.min(questions, limits[name] ?? questions, rows.length - SHOTS);
    const fewShot = promptFormat === "few-shot";
    const shots = takeShots(rows.slice(0, SHOTS));
    const format = fewShot ? { kind: "few-shot", shots } : promptFormat;
    const asked = fewShot ? rows.slice(SHOTS, SHOTS + count) : rows.slice(0, count);
    const prompts = asked.map(({ question }) => buildPrompt(model.tokenizer, question, { format }));
    const stopStrings = fewShot
      ? [shots.some(({ answer }) => answer.includes("\n")) ? "\nQuestion:" : "\n"]
      : [];
    const off = { topK: 0, minP: 0, repetitionPenalty: 1, stopTokenIds: [] };
    const sampler = { ...off, temperature, topP, maxNewTokens, stopStrings };
    const endTokenIds = [...model.endTokenIds];
    return { name, promptFormat, prompts, sampler, samples, threads, endTokenIds };
  });
  const { config } = model;
  await model[Symbol.asyncDispose]();
  return { jobs, config };
}
