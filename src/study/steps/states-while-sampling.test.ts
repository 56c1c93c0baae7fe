import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { createLocalBackend } from "../../backends/local/local-backend.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import type { GenerateRunsOptions } from "../sampling/plan-generation.ts";
import { mergeShards } from "../shards/merge-shards.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { openShard, openWorkspace, type Workspace } from "../workspace.ts";
import { generateRuns } from "./generate-runs.ts";
import { type TraceRunsOptions, traceRuns } from "./trace-runs.ts";
import { verifyTrace } from "./verify-trace.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const QUESTIONS = Array.from({ length: 6 }, (_, i) => ({
  id: `q${i}`,
  question: `What is ${i} + ${i}?`,
  answer: `${2 * i}`,
}));
const SAMPLER = { ...PLAIN_SAMPLER, maxNewTokens: 9 };
const LAYERS = [0, 2];

let model: LanguageModel;
let backend: StateBackend;
/** Fails if it is asked to read. */
let unread: StateBackend;
/** Sampled with states, and sampled first and traced then. */
let whole: Workspace;
let separate: Workspace;
let root: string;
let study: Workspace;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-one-pass-"));
  model = await loadModel(CHECKPOINT, { threads: 1 });
  backend = createLocalBackend(model);
  unread = {
    ...backend,
    async *openReader() {
      throw new Error("a second pass");
    },
  };
  whole = await freshWorkspace();
  await finishStep(generate(whole));
  await finishStep(trace(whole, { model: unread }));
  separate = await freshWorkspace();
  await finishStep(generate(separate, { states: undefined }));
  await finishStep(trace(separate));
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  study = await freshWorkspace();
});

async function freshWorkspace(): Promise<Workspace> {
  const workspace = openWorkspace(await mkdtemp(join(root, "study-")));
  await writeJsonl(workspace.raw("math"), QUESTIONS);
  return workspace;
}

const generate = (workspace: Workspace, options: Partial<GenerateRunsOptions> = {}) =>
  generateRuns(workspace, "math", {
    model,
    sampler: SAMPLER,
    runs: 3,
    states: { backend, layers: LAYERS },
    ...options,
  });
const trace = (workspace: Workspace, options: Partial<TraceRunsOptions> = {}) =>
  traceRuns(workspace, "math", { model, layers: LAYERS, ...options });

/** Stops when so many questions are done. */
async function stopAfter(steps: AsyncGenerator<StepEvent, StepResult>, questions: number): Promise<void> {
  for await (const event of steps)
    if ((event.kind === "advanced" || event.kind === "started") && event.done >= questions) break;
}

const outputsOf = (workspace: Workspace): readonly string[] => [
  workspace.runs("math"),
  workspace.hiddenStatesIndex("math"),
  workspace.hiddenStates("math"),
  manifestPathOf(workspace.hiddenStates("math")),
];
async function expectSameBytes(got: Workspace, expected: Workspace, files = 4): Promise<void> {
  for (const [i, path] of outputsOf(expected).slice(0, files).entries())
    expect((await readFile(outputsOf(got)[i]!)).equals(await readFile(path)), path).toBe(true);
}
const filesOf = async (workspace: Workspace): Promise<readonly string[]> =>
  (await readdir(workspace.root, { recursive: true })).toSorted();
const countsOf = async (workspace: Workspace) =>
  (await readManifest(manifestPathOf(workspace.hiddenStates("math"))))?.counts;

/** As a share of each tensor's largest magnitude. */
async function largestDifference(got: HiddenStates, expected: HiddenStates): Promise<number> {
  let largest = 0;
  for (const position of expected.positions)
    for (const layer of expected.layers) {
      const rows = Array.from({ length: expected.rowCount(position) }, (_, row) => row);
      const [a, b] = [await got.read(position, layer, rows), await expected.read(position, layer, rows)];
      const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const [i, value] of b.entries()) largest = Math.max(largest, Math.abs(value - a[i]!) / scale);
    }
  return largest;
}

describe("states that are read while answers are sampled", () => {
  it("are the files of a trace, and the answers the same bytes", async () => {
    const [runs, index] = outputsOf(separate);
    expect(await readFile(whole.runs("math"))).toEqual(await readFile(runs!));
    expect(await readFile(whole.hiddenStatesIndex("math"))).toEqual(await readFile(index!));
    const [got, expected] = await Promise.all(
      [whole, separate].map((workspace) => openHiddenStates(workspace.hiddenStates("math"))),
    );
    const { path: _, ...header } = got!;
    expect(JSON.stringify(header)).toBe(JSON.stringify({ ...expected!, path: undefined }));
    expect(got!.metadata).toEqual(expected!.metadata);
    // passes of one token a row sum in another order than a pass of a whole answer
    const difference = await largestDifference(got!, expected!);
    expect(difference).toBeLessThan(1e-5);
    expect(await filesOf(whole)).toEqual(await filesOf(separate));
  });

  it("are current for a later trace, and the manifest says how many there are", async () => {
    expect((await finishStep(trace(whole))).result.status).toBe("up-to-date");
    const { rows_read_while_sampling: taken, ...counts } = (await countsOf(whole))!;
    expect(counts).toEqual(await countsOf(separate));
    const rows = Object.entries(counts).filter(([name]) => name.startsWith("rows_"));
    expect(taken).toBe(rows.reduce((sum, [, count]) => sum + count, 0));
    const [first, second] = await Promise.all(
      [whole, separate].map((workspace) => readManifest(manifestPathOf(workspace.hiddenStates("math")))),
    );
    expect(first!.settings).toEqual(second!.settings);
  });

  it("pass the checks of a trace", async () => {
    const verifying = verifyTrace(whole, "math", { model, sample: 20 });
    for (;;) {
      const next = await verifying.next();
      if (!next.done) continue;
      expect(next.value.passed).toBe(true);
      break;
    }
  });

  it.each([0, 1, 3, 5])(
    "after a stop at question %i and one within the trace, are the same bytes",
    async (at) => {
      await stopAfter(generate(study), at);
      await finishStep(generate(study));
      await stopAfter(trace(study, { model: unread }), at);
      await finishStep(trace(study, { model: unread }));
      await expectSameBytes(study, whole);
      expect(await filesOf(study)).toEqual(await filesOf(whole));
    },
  );

  it("are read by the model where they were lost", async () => {
    await stopAfter(generate(study, { states: undefined }), 3);
    await finishStep(generate(study));
    const { counts } = (await finishStep(trace(study))).result;
    expect(counts.rows_read_while_sampling).toBeGreaterThan(0);
    expect(counts.rows_read_while_sampling).toBeLessThan((await countsOf(whole))!.rows_read_while_sampling!);
    const [got, expected] = await Promise.all(
      [study, separate].map((workspace) => openHiddenStates(workspace.hiddenStates("math"))),
    );
    expect(await largestDifference(got!, expected!)).toBeLessThan(1e-5);
  });

  it("of other layers or with --force are not taken over", async () => {
    await finishStep(generate(study));
    await expect(finishStep(trace(study, { model: unread, force: true }))).rejects.toThrow("a second pass");
    await finishStep(generate(study, { force: true }));
    await finishStep(trace(study, { layers: [1] }));
    expect((await countsOf(study))!.rows_read_while_sampling).toBeUndefined();
    expect((await filesOf(study)).filter((name) => name.includes("sampled"))).toEqual([]);
  });

  it("become stale when the runs change, and go to no other answer", async () => {
    await finishStep(generate(study));
    await finishStep(generate(study, { force: true, seed: 7, states: undefined }));
    await finishStep(trace(study)); // what was kept is of the answers before
    const counts = await countsOf(study);
    await finishStep(generate(study, { runs: 4, seed: 7 }));
    const { events, result } = await finishStep(trace(study));
    expect(events[0]).toMatchObject({
      message: expect.stringMatching(/stale: .*math_runs\.jsonl has changed/),
    });
    expect(result.status).toBe("ran");
    expect(result.counts.rows_read_while_sampling).toBeGreaterThan(counts!.rows_read_while_sampling ?? 0);
    const other = await freshWorkspace();
    await finishStep(generate(other, { runs: 4, seed: 7, states: undefined }));
    await finishStep(trace(other));
    const [got, expected] = await Promise.all(
      [study, other].map((workspace) => openHiddenStates(workspace.hiddenStates("math"))),
    );
    expect(await largestDifference(got!, expected!)).toBeLessThan(1e-5);
  });

  it("of shards join to the bytes of the whole", async () => {
    for (const index of [1, 2, 3]) {
      const shard = openShard(study.root, { index, count: 3 });
      await finishStep(generate(shard));
      await finishStep(trace(shard, { model: unread }));
    }
    const merging = mergeShards(study.root);
    while (!(await merging.next()).done);
    await expectSameBytes(study, whole, 3); // the manifest's warnings are by shard
    expect(await countsOf(study)).toEqual(await countsOf(whole));
  });

  it("of best answers, and of answers that adaptive sampling draws in several rounds", async () => {
    await finishStep(generate(study, { states: undefined, adaptive: { seThreshold: 0.9 } }));
    await finishStep(generate(study, { answers: "best", runs: 1 }));
    const best = (await finishStep(trace(study, { model: unread }))).result.counts;
    expect(best).toMatchObject({ runs: 6 });
    await finishStep(generate(study, { force: true, adaptive: { seThreshold: 0.9 } }));
    const samples = (await finishStep(trace(study, { model: unread, answers: "samples" }))).result.counts;
    expect(samples.rows_read_while_sampling).toBeGreaterThan(best.rows_read_while_sampling!);
  });

  it("are refused by name from a quantised model, and from a backend that cannot read them", async () => {
    await using quantised = await loadModel(CHECKPOINT, { threads: 1, dtype: "int8" });
    await expect(finishStep(generate(study, { model: quantised }))).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(/Got --with-states, but the model samples in int8.*sep trace/),
    });
    const { readsStates: _, ...plain } = createLocalBackend(model);
    await expect(finishStep(generate(study, { model: { ...plain, name: "mine" } }))).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(/the backend mine does not read hidden states while it samples/),
    });
  });
});

describe("sep generate --with-states", () => {
  const sep = async (...args: string[]) => {
    const cli = createFakeCli();
    const code = await runCli([...args, "--out", study.root], cli.context);
    return { code, stdout: cli.stdout(), stderr: cli.stderr() };
  };
  const QUICK = ["--model", CHECKPOINT, "--runs", "2", "--max-new-tokens", "5", "--set", "math"];

  it("leaves `sep trace` nothing to do, and `sep run` the rest", async () => {
    const { code, stdout } = await sep("generate", ...QUICK, "--with-states", "--layers", "0,1");
    expect(code).toBe(0);
    expect(stdout).toMatch(/trace math: wrote .*rows_read_while_sampling/s);
    const again = await sep("trace", "--model", CHECKPOINT, "--set", "math", "--layers", "0,1");
    expect(again.stdout).toMatch(/trace math: kept/);
    expect((await sep("generate", ...QUICK, "--with-states", "--layers", "0,1")).stdout).toMatch(
      /generate math: kept.*trace math: kept/s,
    );
    const forced = await sep("generate", ...QUICK, "--with-states", "--layers", "0,1", "--force");
    expect(forced.stdout).toMatch(/trace math: wrote .*rows_read_while_sampling/s);
  });

  it("refuses what only goes with it, and a quantised model", async () => {
    const idle = await sep("generate", ...QUICK, "--layers", "0,1");
    expect(idle.code).toBe(2);
    expect(idle.stderr).toMatch(/--layers without --with-states/);
    const quantised = await sep("generate", ...QUICK, "--with-states", "--dtype", "int8");
    expect(quantised.stderr).toMatch(/Got --with-states, but the model samples in int8/);
  });
});
