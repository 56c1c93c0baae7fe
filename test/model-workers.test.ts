import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../src/models/language-model.ts";
import { loadModel } from "../src/models/load-model.ts";
import { runHere } from "../src/pipeline/local-engine.ts";
import type { RecordRunsOptions } from "../src/sampling/record-runs.ts";

// Worker threads load JavaScript, so this is the built package, as users run it.
const BUILT = new URL("../dist/pipeline/model-workers.js", import.meta.url).href;
const { startModelWorkers } = (await import(BUILT)) as typeof import("../src/pipeline/model-workers.ts");

const CHECKPOINT = fileURLToPath(new URL("golden/checkpoints/llama-untied-llama3-rope", import.meta.url));
const QUESTION = { id: "q", question: "Why?", answer: "42" };
const OPTIONS: RecordRunsOptions = {
  dataset: "math",
  seed: 1,
  sampler: {
    temperature: 1,
    topP: 1,
    topK: 0,
    minP: 0,
    repetitionPenalty: 1,
    maxNewTokens: 20,
    stopStrings: [],
    stopTokenIds: [],
  },
};

describe("startModelWorkers", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(CHECKPOINT, { threads: 1 });
  });
  afterAll(() => model[Symbol.asyncDispose]());

  it("gives what the same engine gives on this thread", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 2);
    const here = runHere(model);
    const both = await Promise.all([
      workers.sample(QUESTION, [0, 1], OPTIONS),
      workers.sample(QUESTION, [2], OPTIONS),
    ]);
    expect(both.flat()).toEqual(await here.sample(QUESTION, [0, 1, 2], OPTIONS));
    const answers = [{ tokenIds: [5, 6, 7], indices: [3, 5] }];
    const traced = await workers.trace([1, 2, 3], answers, [0, 3]);
    expect(traced).toEqual(await here.trace([1, 2, 3], answers, [0, 3]));
  });

  it("passes errors on with their codes", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 1);
    const long = { ...QUESTION, question: "why ".repeat(200) };
    await expect(workers.sample(long, [0], OPTIONS)).rejects.toMatchObject({
      code: "prompt-too-long",
      message: expect.stringContaining("Shorten the question"),
    });
    await using lost = await startModelWorkers("/nowhere", 1);
    await expect(lost.sample(QUESTION, [0], OPTIONS)).rejects.toMatchObject({ code: "model-not-found" });
  });

  it("stops a job that is aborted and takes the next one", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 1);
    const abort = new AbortController();
    const endless = { ...OPTIONS, sampler: { ...OPTIONS.sampler, maxNewTokens: 400 } };
    const job = workers.sample(QUESTION, [0, 1, 2, 3], endless, abort.signal);
    setTimeout(() => abort.abort(), 30);
    await expect(job).rejects.toThrow(/abort/i);
    expect(await workers.sample(QUESTION, [0], OPTIONS)).toHaveLength(1);
  });
});
