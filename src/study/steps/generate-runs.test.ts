import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { computeEntropy } from "../entropy/compute-entropy.ts";
import type { GenerateRunsOptions } from "../sampling/plan-generation.ts";
import { mergeShards } from "../shards/merge-shards.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { openShard, openWorkspace, type Workspace } from "../workspace.ts";
import { generateRuns } from "./generate-runs.ts";
import { traceRuns } from "./trace-runs.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const SAMPLER: SamplerSettings = { ...PLAIN_SAMPLER, topP: 0.95, maxNewTokens: 9 };
const QUESTIONS = Array.from({ length: 6 }, (_, i) => ({
  id: `q${i}`,
  question: `What is ${i} + ${i}?`,
  answer: `${2 * i}`,
}));

let model: LanguageModel;
let workspace: Workspace;

beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1, rows: 40 });
});
afterAll(() => model[Symbol.asyncDispose]());
beforeEach(async () => {
  workspace = await freshWorkspace(QUESTIONS);
});

describe("generateRuns", () => {
  it("says how full the batches were, in the events and not in the manifest", async () => {
    const { events, result } = await finishStep(generate());
    const { runs } = await readRuns(workspace.runs("math"));
    const note = events.find((event) => event.kind === "note" && event.figures !== undefined);
    const rows = runs.reduce((sum, { tokens }) => sum + tokens.length - 1, 0);
    const { passes, rows_per_pass, batch_occupancy } = (note as { figures: Record<string, number> }).figures;
    expect(rows_per_pass).toBeCloseTo(rows / passes!);
    expect(batch_occupancy).toBeCloseTo(rows / (40 * passes!));
    expect(note).toMatchObject({
      message: expect.stringMatching(/^batches were \d+\.\d% full: .* of 40 rows/),
    });
    expect(result.counts).not.toHaveProperty("batch_occupancy");
  });

  it("goes on after a stop at any question and ends with the same bytes", async () => {
    await finishStep(generate());
    const whole = await readFile(workspace.runs("math"));
    for (const stopAfter of [0, 1, 4, 5]) {
      workspace = await freshWorkspace(QUESTIONS);
      await stopEarly(generate(), stopAfter);
      const { events } = await finishStep(generate());
      expect(events[0], `after ${stopAfter}`).toMatchObject({ kind: "started", done: stopAfter, total: 6 });
      expect(await readFile(workspace.runs("math"))).toEqual(whole);
      await expect(readFile(`${workspace.runs("math")}.partial`), "the journal is gone").rejects.toThrow(
        /ENOENT/,
      );
    }
  });

  it("leaves out and names questions that are too long for the model, and goes on with the others", async () => {
    const long = QUESTIONS.map((each, i) => (i % 3 === 1 ? { ...each, question: "why ".repeat(600) } : each));
    workspace = await freshWorkspace(long);
    const { result, events } = await finishStep(generate());
    const whole = await readFile(workspace.runs("math"));
    const { runs } = await readRuns(workspace.runs("math"));
    expect([...new Set(runs.map(({ question_id }) => question_id))]).toEqual(["q0", "q2", "q3", "q5"]);
    expect(result.counts).toMatchObject({ questions: 4, runs: 12, left_out_too_long: 2 });
    expect(result.warnings).toMatchObject([
      { code: "prompt-too-long", message: /^2 questions are too long for the model, .*: "q1", "q4"\. / },
    ]);
    expect(events.findLast(({ kind }) => kind === "advanced")).toMatchObject({ done: 6, total: 6 });
    expect((await finishStep(generate())).result.status).toBe("up-to-date");
    for (const stopAfter of [1, 3]) {
      workspace = await freshWorkspace(long);
      await stopEarly(generate(), stopAfter);
      expect((await finishStep(generate())).result.counts).toEqual(result.counts);
      expect(await readFile(workspace.runs("math"))).toEqual(whole);
    }
    workspace = await freshWorkspace(long);
    for (const index of [1, 2, 3])
      await finishStep(generate({}, openShard(workspace.root, { index, count: 3 })));
    const merging = mergeShards(workspace.root);
    for (let step = await merging.next(); !step.done; ) step = await merging.next();
    expect(await readFile(workspace.runs("math"))).toEqual(whole);
    expect((await readManifest(manifestPathOf(workspace.runs("math"))))?.counts).toEqual(result.counts);
    await finishStep(traceRuns(workspace, "math", { model, layers: [2] }));
    await finishStep(computeEntropy(workspace, "math"));
  });

  it("stops where every question is too long", async () => {
    workspace = await freshWorkspace(QUESTIONS.map((each) => ({ ...each, question: "why ".repeat(600) })));
    await expect(finishStep(generate())).rejects.toMatchObject({
      code: "prompt-too-long",
      message: expect.stringMatching(
        /^All 6 questions are too long for the model\. "q0": The prompt has \d+ tokens, but the model takes 512/,
      ),
    });
  });

  it("warns of single answers, unless they are best ones", async () => {
    const single = await finishStep(generate({ runs: 1 }));
    expect(single.result.warnings.map(({ code }) => code)).toEqual(["one-sample"]);
    const best = await finishStep(generate({ runs: 1, answers: "best" }));
    expect(best.result.warnings).toEqual([]);
  });

  it("goes on from a journal that was cut in the middle of a line", async () => {
    await finishStep(generate());
    const whole = await readFile(workspace.runs("math"));
    for (const keep of [0.1, 0.33, 0.5, 0.77, 0.999]) {
      workspace = await freshWorkspace(QUESTIONS);
      await stopEarly(generate(), 3);
      const journal = `${workspace.runs("math")}.partial`;
      const content = await readFile(journal);
      await writeFile(journal, content.subarray(0, Math.floor(content.length * keep)));
      await finishStep(generate());
      expect(await readFile(workspace.runs("math")), `${keep} of the journal`).toEqual(whole);
    }
  });

  it("goes on where it was stopped between the output and its manifest", async () => {
    await stopEarly(generate(), 6); // all sampled; the output is not written yet
    const journal = `${workspace.runs("math")}.partial`;
    await copyFile(journal, workspace.runs("math"));
    const { events, result } = await finishStep(generate());
    expect(events[0]).toMatchObject({ kind: "started", done: 6 });
    expect(result.counts.runs).toBe(18);
  });

  it("draws the same answers whatever K, and extends to more runs and questions", async () => {
    await finishStep(generate({ runs: 5 }));
    const five = await readFile(workspace.runs("math"));
    workspace = await freshWorkspace(QUESTIONS.slice(0, 4));
    await finishStep(generate({ runs: 2 }));
    await writeQuestions(workspace, QUESTIONS);
    const { events } = await finishStep(generate({ runs: 5 }));
    expect(events.some((event) => event.kind === "note" && event.message.includes("extended"))).toBe(true);
    expect(await readFile(workspace.runs("math"))).toEqual(five);
  });

  it("never loses answers because fewer are asked for, unless forced", async () => {
    await finishStep(generate({ runs: 3 }));
    const before = await readFile(workspace.runs("math"));
    await expect(finishStep(generate({ runs: 2 }))).rejects.toThrow(/has 6 answers more than requested/);
    await expect(finishStep(generate({ limit: 2 }))).rejects.toMatchObject({ code: "output-differs" });
    expect(await readFile(workspace.runs("math"))).toEqual(before);
    const { result } = await finishStep(generate({ runs: 2, limit: 2, force: true }));
    expect(result.counts).toMatchObject({ questions: 2, runs: 4 });
  });

  it("is up to date when nothing changed", async () => {
    await finishStep(generate());
    const { result, events } = await finishStep(generate());
    expect(result.status).toBe("up-to-date");
    expect(events.map(({ kind }) => kind)).toEqual(["note"]);
  });

  it("asks a reworded question again, and judges the others by their present answers", async () => {
    await finishStep(generate());
    const before = (await readRuns(workspace.runs("math"))).runs;
    const reworded = QUESTIONS.map((question) =>
      question.id === "q2" ? { ...question, question: "How much is 2 + 2?" } : question,
    );
    await writeQuestions(workspace, reworded);
    const { events } = await finishStep(generate());
    expect(events.find(({ kind }) => kind === "started")).toMatchObject({ done: 5 });
    const after = (await readRuns(workspace.runs("math"))).runs;
    expect(after.filter((run) => run.question_id !== "q2")).toEqual(
      before.filter((run) => run.question_id !== "q2"),
    );
    expect(after.find((run) => run.question_id === "q2")?.prompt).toContain("How much");
  });

  it("never replaces answers that were drawn otherwise, unless forced", async () => {
    await finishStep(generate());
    const before = await readFile(workspace.runs("math"));
    const warmer = { sampler: { ...SAMPLER, temperature: 1.5 } };
    await expect(finishStep(generate(warmer))).rejects.toMatchObject({ code: "output-differs" });
    await expect(finishStep(generate({ seed: 1 }))).rejects.toThrow(/seed was 42 and is now 1/);
    expect(await readFile(workspace.runs("math"))).toEqual(before);
    await finishStep(generate({ ...warmer, force: true }));
    expect(await readFile(workspace.runs("math"))).not.toEqual(before);
  });

  it("knows answers of another device, whose kernels round otherwise", async () => {
    await finishStep(generate());
    const elsewhere = { ...model, provenance: { ...model.provenance, device: "webgpu" as const } };
    const refused = finishStep(generate({ model: elsewhere }));
    await expect(refused).rejects.toMatchObject({ code: "output-differs" });
    await expect(refused).rejects.toThrow(/made differently: model\.device was "cpu" and is now "webgpu"\. /);
    await finishStep(traceRuns(workspace, "math", { model }));
    const { events } = await finishStep(traceRuns(workspace, "math", { model: elsewhere }));
    expect(events[0]).toMatchObject({
      kind: "note",
      message: expect.stringMatching(/is stale: model\.device was "cpu" and is now "webgpu"$/),
    });
  });

  it("never mixes unfinished answers of other settings in, and never replaces a file it did not make", async () => {
    await stopEarly(generate(), 2);
    await expect(finishStep(generate({ seed: 1 }))).rejects.toThrow(/unfinished answers/);
    workspace = await freshWorkspace(QUESTIONS);
    await appendFile(workspace.runs("math"), "{}\n");
    await expect(finishStep(generate())).rejects.toThrow(/did not make it/);
    expect(await readFile(workspace.runs("math"), "utf8")).toBe("{}\n");
  });

  it("refuses a second process on the same output", async () => {
    const first = generate();
    await first.next();
    await expect(finishStep(generate())).rejects.toMatchObject({ code: "output-locked" });
    await first.return(undefined as never);
    await finishStep(generate());
  });

  it("stops at an abort and keeps what is finished", async () => {
    const abort = new AbortController();
    const events: StepEvent[] = [];
    // two questions at a time
    await using narrow = await loadModel(CHECKPOINT, { threads: 1, rows: 8 });
    const run = async (): Promise<void> => {
      for await (const event of generate({ model: narrow, signal: abort.signal })) {
        events.push(event);
        if (event.kind === "advanced" && event.done === 2) abort.abort();
      }
    };
    await expect(run()).rejects.toThrow(/abort/i);
    const { events: rest } = await finishStep(generate());
    // questions of one batch may end together
    expect(rest[0]).toMatchObject({ kind: "started", done: expect.toSatisfy((done) => done >= 2) });
  });
});

describe("traceRuns", () => {
  it("goes on after a stop and ends with the same bytes", async () => {
    await finishStep(generate());
    await finishStep(traceRuns(workspace, "math", { model }));
    const paths = [workspace.hiddenStates("math"), workspace.hiddenStatesIndex("math")];
    const whole = await Promise.all(paths.map((path) => readFile(path)));
    const manifest = await readFile(manifestPathOf(paths[0] as string));
    for (const stopAfter of [0, 1, 5, 6]) {
      for (const path of paths) await rm(path);
      await rm(manifestPathOf(paths[0] as string));
      await stopEarly(traceRuns(workspace, "math", { model }), stopAfter);
      const { events } = await finishStep(traceRuns(workspace, "math", { model }));
      expect(events[0]).toMatchObject({ kind: "started", done: stopAfter });
      expect(await Promise.all(paths.map((path) => readFile(path)))).toEqual(whole);
      expect(await readFile(manifestPathOf(paths[0] as string))).toEqual(manifest);
    }
  });

  it("starts anew when the runs have changed, and says so", async () => {
    await finishStep(generate({ runs: 2 }));
    await finishStep(traceRuns(workspace, "math", { model }));
    await finishStep(generate({ runs: 3 }));
    const { events, result } = await finishStep(traceRuns(workspace, "math", { model }));
    expect(events[0]).toMatchObject({
      kind: "note",
      message: expect.stringContaining("stale: data/math_runs.jsonl"),
    });
    expect(result.counts.runs).toBe(18);
  });
});

const generate = (
  options: Partial<GenerateRunsOptions> = {},
  into: Workspace = workspace,
): AsyncGenerator<StepEvent, StepResult> =>
  generateRuns(into, "math", { model, sampler: SAMPLER, runs: 3, ...options });

/** Leaves the step after it has reported `count` finished questions, as a closed notebook cell would. */
async function stopEarly(step: AsyncGenerator<StepEvent, StepResult>, count: number): Promise<void> {
  for await (const event of step) {
    if ((event.kind === "started" || event.kind === "advanced") && event.done === count) return;
  }
}

async function freshWorkspace(questions: typeof QUESTIONS): Promise<Workspace> {
  const fresh = openWorkspace(await mkdtemp(join(tmpdir(), "sep-generate-")));
  await rm(fresh.root, { recursive: true });
  await writeQuestions(fresh, questions);
  return fresh;
}

async function writeQuestions(target: Workspace, questions: typeof QUESTIONS): Promise<void> {
  await writeJsonl(target.raw("math"), questions);
}

describe("generateRuns, adaptively", () => {
  const adaptive = { seThreshold: 0.5, meaning: { equivalence: "exact" } } as const;
  /** With a peaked sampler some answers of the tiny model agree. */
  const often = { sampler: { ...SAMPLER, temperature: 0.05, maxNewTokens: 2 }, runs: 6 };
  const readLines = async (): Promise<string[]> =>
    (await readFile(workspace.runs("math"), "utf8")).trimEnd().split("\n");

  it("draws the beginning of what it would draw, says what it saved, and goes on to all of it", async () => {
    const { events, result } = await finishStep(generate({ ...often, adaptive }));
    const some = await readLines();
    expect(result.counts).toMatchObject({ runs: some.length, answers_saved: 36 - some.length });
    expect(some.length).toBeLessThan(36);
    expect(new Set((await readRuns(workspace.runs("math"))).runs.map((run) => run.question_id)).size).toBe(6);
    expect(events).toContainEqual(
      expect.objectContaining({
        message: expect.stringMatching(/^\d+ of 36 answers \(\d+\.\d%\) were not sampled/),
      }),
    );
    const extended = await finishStep(generate(often));
    const all = await readLines();
    expect(extended.result.counts).toMatchObject({ runs: 36 });
    expect(extended.result.counts.answers_saved).toBeUndefined();
    expect(all.filter((line) => some.includes(line))).toEqual(some);

    workspace = await freshWorkspace(QUESTIONS);
    await finishStep(generate(often));
    expect(await readLines()).toEqual(all);
  });

  it("goes on after a stop, and from a torn journal, to the same bytes", async () => {
    await finishStep(generate({ ...often, adaptive }));
    const whole = await readFile(workspace.runs("math"));
    for (const keep of [0.2, 0.6, 1]) {
      workspace = await freshWorkspace(QUESTIONS);
      await stopEarly(generate({ ...often, adaptive }), 4);
      const journal = `${workspace.runs("math")}.partial`;
      const content = await readFile(journal);
      await writeFile(journal, content.subarray(0, Math.floor(content.length * keep)));
      await finishStep(generate({ ...often, adaptive }));
      expect(await readFile(workspace.runs("math")), `${keep} of the journal`).toEqual(whole);
    }
  });

  it("is up to date with the same threshold, and draws more for one that leaves more open", async () => {
    await finishStep(generate({ ...often, adaptive }));
    expect((await finishStep(generate({ ...often, adaptive }))).result.status).toBe("up-to-date");
    const before = await readLines();
    const other = { ...adaptive, seThreshold: 1.5 };
    const { result } = await finishStep(generate({ ...often, adaptive: other }));
    expect(result.status).toBe("ran");
    const after = await readLines();
    expect(after.filter((line) => before.includes(line))).toEqual(before);
  });
});
