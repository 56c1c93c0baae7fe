import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { createPromptTemplate } from "../../engine/tokenizer/prompt-format.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { generateRuns } from "../steps/generate-runs.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import type { GenerateRunsOptions } from "./plan-generation.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const SAMPLER: GenerateRunsOptions["sampler"] = { ...PLAIN_SAMPLER, maxNewTokens: 4, stopStrings: ["END"] };
const QUESTIONS = Array.from({ length: 8 }, (_, at) => ({
  id: `q${at}`,
  question: `Which animal has the number ${at}?`,
  answer: ["cat", "dog", "cow", "hen"][at % 4] as string,
}));

let model: LanguageModel;
let workspace: Workspace;
beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());
beforeEach(async () => {
  workspace = openWorkspace(await mkdtemp(join(tmpdir(), "sep-plan-")));
  await writeJsonl(workspace.raw("math"), QUESTIONS);
});
afterEach(() => rm(workspace.root, { recursive: true }));

async function generate(
  options: Partial<GenerateRunsOptions>,
): Promise<{ readonly events: readonly StepEvent[]; readonly result: StepResult }> {
  const step = generateRuns(workspace, "math", { model, sampler: SAMPLER, runs: 2, ...options });
  const events: StepEvent[] = [];
  for (;;) {
    const next = await step.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}
const settings = async () => (await readManifest(manifestPathOf(workspace.runs("math"))))?.settings;
const runs = async () => (await readRuns(workspace.runs("math"))).runs;
const started = (events: readonly StepEvent[]) => events.find(({ kind }) => kind === "started");

it("prompts with the texts that questions are about, and shows those of examples only then", async () => {
  const shots = [{ context: "A zoo.", question: "Which?", answer: "cat" }];
  const fewShot = { kind: "few-shot", shots } as const;
  await generate({ promptFormat: fewShot, runs: 1 });
  expect((await runs())[0]?.prompt).not.toContain("Context:");
  await writeJsonl(
    workspace.raw("math"),
    QUESTIONS.map((each) => ({ ...each, context: "A farm." })),
  );
  const { result } = await generate({ promptFormat: fewShot, runs: 1, force: true });
  expect(result.counts).toMatchObject({ runs: 8 });
  const [run] = await runs();
  expect(run).toMatchObject({ context: "A farm.", question: QUESTIONS[0]!.question });
  expect(run?.prompt).toContain("Context: A zoo.\nQuestion: Which?\nAnswer: cat\n\nContext: A farm.\n");
});

it("never asks what it shows, stops at the line's end, and records both", async () => {
  const { result } = await generate({ promptFormat: "few-shot" });
  expect(result.counts).toMatchObject({ questions: 3, runs: 6, left_out_as_shots: 5 });
  const drawn = await runs();
  expect([...new Set(drawn.map((run) => run.question_id))]).toEqual(["q5", "q6", "q7"]);
  for (const { prompt, question_id } of drawn) {
    expect(prompt).toContain("Question: Which animal has the number 4?\nAnswer: cat\n\n");
    expect(prompt.split(`number ${question_id.slice(1)}?`)).toHaveLength(2);
  }
  expect(await settings()).toMatchObject({
    sampler: { stopStrings: ["END", "\n"] },
    prompt_format: { kind: "few-shot", shots: 5, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect((await generate({ promptFormat: "few-shot" })).result.status).toBe("up-to-date");
  const otherShots = { kind: "few-shot", shots: [{ question: "Who?", answer: "me" }] } as const;
  await expect(generate({ promptFormat: otherShots })).rejects.toMatchObject({ code: "output-differs" });
  await expect(generate({ promptFormat: "few-shot", limit: 5, force: true })).rejects.toMatchObject({
    code: "too-few-questions",
    message: /--shots/,
  });
});

it("knows a template by its content", async () => {
  const template = (name: string, text: string) =>
    ({ kind: "template", template: createPromptTemplate(name, text) }) as const;
  await generate({ promptFormat: template("a.txt", "Q: {question}\nA:"), limit: 2 });
  expect((await runs())[0]?.prompt).toBe("Q: Which animal has the number 0?\nA:");
  const again = await generate({ promptFormat: template("b.txt", "Q: {question}\nA:\n"), limit: 2 });
  expect(again.result.status).toBe("up-to-date");
  await expect(
    generate({ promptFormat: template("a.txt", "{question}\nA:"), limit: 2 }),
  ).rejects.toMatchObject({ code: "output-differs", message: /prompt_format was/ });
});

it("judges again by another rule, and draws nothing again", async () => {
  const first = await generate({ limit: 3 });
  expect(await settings()).toMatchObject({ correctness: "contains" });
  expect(first.events).toContainEqual(
    expect.objectContaining({ kind: "note", message: "answers are graded as open ones (contains)" }),
  );
  const before = await runs();
  const asMath = await generate({ limit: 3, correctness: "math" });
  expect(started(asMath.events)).toMatchObject({ done: 3, total: 3 });
  expect(await settings()).toMatchObject({ correctness: "math" });
  const after = await runs();
  expect(after.map(({ tokens }) => tokens)).toEqual(before.map(({ tokens }) => tokens));
  expect(after.every(({ correctness }) => correctness === "math")).toBe(true);
  const bytes = await readFile(workspace.runs("math"));
  await generate({ limit: 3 });
  await generate({ limit: 3, correctness: "math" });
  expect(await readFile(workspace.runs("math"))).toEqual(bytes);
});

it("records where the sampler comes from, which changes no answer", async () => {
  const sources = {
    temperature: "user",
    topP: "default",
    topK: "default",
    minP: "default",
    repetitionPenalty: "default",
  } as const;
  await generate({ limit: 1 });
  const { events } = await generate({ limit: 1, samplerSources: sources });
  expect(started(events)).toMatchObject({ done: 1, total: 1 });
  expect(await settings()).toMatchObject({ sampler_sources: sources });
});

it("warns when reasoning cannot be switched off by the prompt", async () => {
  const { result } = await generate({ limit: 1, promptFormat: "notebook", enableThinking: false });
  expect(result.warnings).toContainEqual(expect.objectContaining({ code: "thinking-not-switchable" }));
});
