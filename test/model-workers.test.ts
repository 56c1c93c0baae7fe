import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runHere } from "../src/backends/local/local-engine.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import type { SampleAnswersOptions } from "../src/engine/generate/generate.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import type { Prompt } from "../src/engine/tokenizer/build-prompt.ts";
import { createFakeCli } from "./fakes/cli-context.ts";
import { PLAIN_SAMPLER } from "./fakes/plain-sampler.ts";

// Worker threads load JavaScript, so this is the built package, as users run it.
const BUILT = new URL("../dist/backends/local/local-engine.js", import.meta.url).href;
const { startModelWorkers } = (await import(BUILT)) as typeof import("../src/backends/local/local-engine.ts");

const CHECKPOINT = fileURLToPath(new URL("golden/checkpoints/llama-untied-llama3-rope", import.meta.url));
const promptOf = (tokenIds: readonly number[]): Prompt => ({ text: "Why?", tokenIds, opensReasoning: false });
const PROMPT = promptOf([1, 2, 3, 4]);
const OPTIONS: Omit<SampleAnswersOptions, "runIds"> = {
  streamKey: "q",
  seed: 1,
  sampler: { ...PLAIN_SAMPLER, maxNewTokens: 20 },
};

describe("sep doctor --model", () => {
  it("measures plans with copies of the model, and prints them with the one that it chose", async () => {
    const { DOCTOR } = (await import(
      new URL("../dist/cli/commands/doctor.js", import.meta.url).href
    )) as typeof import("../src/cli/commands/doctor.ts");
    const cli = createFakeCli();
    expect(await DOCTOR.run(["--model", CHECKPOINT, "--threads", "2"], cli.context)).toBe(0);
    const [title, head, ...rest] = cli.stdout().trimEnd().split("\n");
    expect(title).toBe(`${CHECKPOINT}, float32`);
    expect(head).toBe("workers  threads per worker  rows  tokens/s");
    // on a busy machine the trial ends early, and says so
    const isBusy = rest.at(-1)?.startsWith("Other work keeps the CPUs busy: ") ?? false;
    const plans = isBusy ? rest.slice(0, -1) : rest;
    const tried = plans.map((line) => line.trim().split(/ +/).slice(0, 3).join(" "));
    expect(tried.slice(0, 2)).toEqual(["2 1 80", "2 1 160"].slice(0, isBusy ? tried.length : 2));
    if (!isBusy) {
      expect(tried.at(-1)).toMatch(/^1 1 (20|40|80|160)$/);
      expect(["", "2 1 40", "2 1 40,2 1 20"]).toContain(tried.slice(2, -1).join());
    }
    expect(plans.filter((line) => line.endsWith("  chosen"))).toHaveLength(isBusy ? 0 : 1);
    for (const line of plans) expect(Number(line.trim().split(/ +/)[3])).toBeGreaterThan(0);
  });
});

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
      workers.draw(PROMPT, { ...OPTIONS, runIds: [0, 1] }),
      workers.draw(PROMPT, { ...OPTIONS, runIds: [2] }),
    ]);
    expect(both.flat()).toEqual(await here.draw(PROMPT, { ...OPTIONS, runIds: [0, 1, 2] }));
    const answers = [{ tokenIds: [5, 6, 7], indices: [3, 5] }];
    const { beforeGeneration, answers: states } = await here.read([1, 2, 3], answers, { layers: [0, 3] });
    const expected = { beforeGeneration, answers: states };
    // again and again: the thread that has run a prompt keeps it
    for (let i = 0; i < 4; i++) {
      const read = await workers.read([1, 2, 3], answers, { layers: [0, 3] });
      const { [Symbol.dispose]: dispose, ...found } = read;
      expect(found).toEqual(expected);
      dispose?.();
      expect(read.answers).toEqual([[]]);
    }
  });

  it("reads the same states again in memory that was given back, of passes of any size", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 1);
    const here = runHere(model);
    const layers = [0, 1, 2, 3];
    const answersOf = (count: number, length: number) =>
      Array.from({ length: count }, (_, answer) => ({
        tokenIds: Array.from({ length }, (_, i) => 1 + ((answer + i * count) % 60)),
        indices: Array.from({ length }, (_, i) => 3 + i),
      }));
    // the largest has more tokens than a pass takes of a row, and its states have to be joined
    for (const [count, length] of [
      [8, 200],
      [7, 190],
      [3, 300],
      [8, 200],
      [1, 5],
    ] as const) {
      const answers = answersOf(count, length);
      const expected = await here.read([1, 2, 3], answers, { layers });
      const read = await workers.read([1, 2, 3], answers, { layers });
      expect(read.answers).toEqual(expected.answers);
      read[Symbol.dispose]?.();
      expect(read.answers.flat()).toEqual([]);
    }
  });

  it("says how full the batches of all its threads were", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 2);
    const sampler = { ...OPTIONS.sampler, stopTokenIds: [], maxNewTokens: 5 };
    const drawn = await Promise.all(
      [[0, 1], [2]].map((runIds) => workers.draw(PROMPT, { ...OPTIONS, sampler, runIds })),
    );
    const tokens = drawn.flat().reduce((sum, { tokenIds }) => sum + tokenIds.length - 1, 0);
    const { passes, rows, room } = await workers.usage();
    expect(rows).toBe(tokens);
    expect(room).toBe(80 * passes);
    const here = runHere(model);
    expect(await here.usage()).toEqual({ passes: 0, rows: 0, room: 0, short: 0 });
  });

  it("passes errors on with their codes", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 1);
    const long = promptOf(Array.from({ length: 2000 }, () => 5));
    await expect(workers.draw(long, { ...OPTIONS, runIds: [0] })).rejects.toMatchObject({
      code: "prompt-too-long",
      message: expect.stringContaining("Shorten the question"),
    });
    await using lost = await startModelWorkers("/nowhere", 1);
    await expect(lost.draw(PROMPT, { ...OPTIONS, runIds: [0] })).rejects.toMatchObject({
      code: "model-not-found",
    });
  });

  it("stops a job that is aborted and takes the next one", async () => {
    await using workers = await startModelWorkers(CHECKPOINT, 1);
    const abort = new AbortController();
    const job = workers.draw(PROMPT, {
      ...OPTIONS,
      runIds: [0, 1, 2, 3],
      sampler: { ...OPTIONS.sampler, maxNewTokens: 400 },
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 30);
    await expect(job).rejects.toThrow(/abort/i);
    expect(await workers.draw(PROMPT, { ...OPTIONS, runIds: [0] })).toHaveLength(1);
  });

  it("can be disposed of in the middle of passes, which does not end the process", async () => {
    // a process of its own, for if a thread is stopped within onnxruntime, the process aborts
    const script = `(async () => {
      const { startModelWorkers } = await import(process.argv[1]);
      const job = JSON.parse(process.argv[3]);
      for (let round = 0; round < 4; round++) {
        const workers = await startModelWorkers(process.argv[2], 2);
        const busy = [0, 1].map((n) => workers.draw(job.prompt, { ...job.options, streamKey: String(n) }));
        await Promise.all(busy.map((jobs) => Promise.race([jobs, workers.usage()])));
        await new Promise((resolve) => setTimeout(resolve, 20 * round));
        await workers[Symbol.asyncDispose]();
        for (const drawn of busy) console.log(await drawn.then(() => "done", (error) => error.message));
      }
    })()`;
    const options = { ...OPTIONS, runIds: [0, 1, 2, 3], sampler: { ...OPTIONS.sampler, maxNewTokens: 400 } };
    const job = JSON.stringify({ prompt: PROMPT, options });
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", script, BUILT, CHECKPOINT, job]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(8);
    const disposed = "The worker threads were disposed of before this job was done.";
    expect(lines).toContain(disposed);
    for (const line of lines) expect(["done", disposed]).toContain(line);
  });
});
