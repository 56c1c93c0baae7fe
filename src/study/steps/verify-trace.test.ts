import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import type { TraceRow } from "../../states/state-index.ts";
import { readJsonl, writeJsonl } from "../../store/jsonl.ts";
import { readSafetensorsHeader } from "../../store/safetensors.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { generateRuns } from "./generate-runs.ts";
import { traceRuns } from "./trace-runs.ts";
import { type TraceVerdict, verifyTrace } from "./verify-trace.ts";

const QUESTIONS = Array.from({ length: 5 }, (_, i) => ({
  id: `q${i}`,
  question: `What is ${i + 3} + 4?`,
  answer: "9",
}));

let model: LanguageModel;
let root: string;
let workspace: Workspace;
let states: Buffer;
let index: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-verify-"));
  workspace = openWorkspace(root);
  model = await loadModel("pocket", { threads: 1 });
  await writeJsonl(workspace.raw("math"), QUESTIONS);
  const sampler = { ...PLAIN_SAMPLER, maxNewTokens: 60 };
  await finishStep(generateRuns(workspace, "math", { model, sampler, runs: 3 }));
  await finishStep(traceRuns(workspace, "math", { model }));
  states = await readFile(workspace.hiddenStates("math"));
  index = await readFile(workspace.hiddenStatesIndex("math"), "utf8");
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  await writeFile(workspace.hiddenStates("math"), states);
  await writeFile(workspace.hiddenStatesIndex("math"), index);
});

async function verify(sample = 12): Promise<TraceVerdict> {
  const steps = verifyTrace(workspace, "math", { model, sample });
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
  }
}

const failures = ({ checks }: TraceVerdict): Record<string, number> =>
  Object.fromEntries(checks.flatMap(({ name, failed }) => (failed === 0 ? [] : [[name, failed]])));

/** Overwrites one row of one tensor, or reads it. */
async function editRow(
  tensor: string,
  row: number,
  values: (stored: Float32Array) => Float32Array,
): Promise<void> {
  const path = workspace.hiddenStates("math");
  const { tensors } = await readSafetensorsHeader(path);
  const { begin, shape } = tensors.get(tensor)!;
  const bytes = Buffer.from(await readFile(path));
  const at = begin + row * shape[1]! * 4;
  const stored = new Float32Array(Uint8Array.from(bytes.subarray(at, at + shape[1]! * 4)).buffer);
  bytes.set(new Uint8Array(values(stored).buffer), at);
  await writeFile(path, bytes);
}

async function editIndex(change: (row: TraceRow) => unknown): Promise<void> {
  const { rows } = await readJsonl(workspace.hiddenStatesIndex("math"), {
    parse: (value) => value as TraceRow,
  });
  await writeJsonl(
    workspace.hiddenStatesIndex("math"),
    rows.map(change).filter((row) => row !== null),
  );
}

describe("verifyTrace", () => {
  it("passes what the trace step wrote, every check with something to check", async () => {
    const verdict = await verify();
    expect(failures(verdict)).toEqual({});
    expect(verdict.passed).toBe(true);
    for (const { checked, skipped } of verdict.checks) {
      expect(checked).toBeGreaterThan(0);
      expect(skipped).toBeNull();
    }
    expect(verdict.rows["before-generation"]).toBe(5);
    expect(verdict.largest_difference).toBeLessThan(1e-5); // float32; the tolerance is 1e-3
  });

  it.each<[string, (stored: Float32Array) => Float32Array, string[]]>([
    ["NaN", (stored) => stored.fill(Number.NaN, 3, 4), ["finite", "agreement"]],
    ["all zero", (stored) => stored.fill(0), ["zero", "agreement"]],
    ["one number throughout", (stored) => stored.fill(0.25), ["constant", "agreement"]],
    ["slightly wrong", (stored) => stored.map((value) => value * 1.01), ["agreement"]],
  ])("finds a vector that is %s", async (_name, change, expected) => {
    await editRow("last-token.layer.2", 0, change);
    const verdict = await verify(1000);
    expect(Object.keys(failures(verdict))).toEqual(expected);
    expect(Object.values(failures(verdict))).toEqual(expected.map(() => 1));
    expect(verdict.passed).toBe(false);
  });

  it("finds the vector of another row", async () => {
    let other = new Float32Array();
    await editRow("think-end.layer.3", 0, (stored) => {
      other = stored as Float32Array<ArrayBuffer>;
      return stored;
    });
    await editRow("think-end.layer.3", 4, () => other);
    expect(failures(await verify(1000))).toEqual({ duplicate: 1, agreement: 1 });
  });

  it("finds states that are a token away from where the index says", async () => {
    await editIndex((row) =>
      row.position === "think-end" ? { ...row, token_index: row.token_index - 1 } : row,
    );
    const verdict = await verify(1000);
    const count = verdict.rows["think-end"]!;
    expect(failures(verdict)).toMatchObject({ token: count, position: count });
    expect(failures(verdict).agreement).toBeGreaterThanOrEqual(count);
    expect(verdict.checks.find(({ name }) => name === "position")!.examples[0]).toMatch(
      /^think-end row 0 \(question q0, run 0\): at token \d+, expected \d+; tokens \d+ to \d+ were generated, \d+ of them are the answer's$/,
    );
  });

  it("finds another text, a line too few, and a run that is not there", async () => {
    await editIndex((row) => (row.row === 1 && row.position === "last-token" ? { ...row, token: "x" } : row));
    expect(failures(await verify(0))).toEqual({ token: 1 });
    await writeFile(workspace.hiddenStatesIndex("math"), index);
    await editIndex((row) => (row.row === 1 && row.position === "last-token" ? null : row));
    expect(failures(await verify(0))).toEqual({ index: 1 });
    await writeFile(workspace.hiddenStatesIndex("math"), index);
    await editIndex((row) => (row.row === 1 && row.position === "last-token" ? { ...row, run_id: 9 } : row));
    expect(failures(await verify(0))).toEqual({ index: 1 });
  });

  it("finds runs whose answer is said to be longer or shorter than its text, and the places that follow", async () => {
    const runs = await readFile(workspace.runs("math"), "utf8");
    const lines = runs.trimEnd().split("\n");
    const edited = (change: (run: RunRecord) => object): string =>
      lines
        .map((line, i) => JSON.stringify(i === 0 ? change(JSON.parse(line)) : JSON.parse(line)))
        .join("\n");
    for (const by of [-1, 1]) {
      const count = (run: RunRecord): number => (run.answer_token_count as number) + by;
      await writeFile(
        workspace.runs("math"),
        edited((run) => ({ ...run, answer_token_count: count(run) })),
      );
      const verdict = await verify(0);
      expect(failures(verdict)).toEqual({ answer: 1, position: 1 });
      expect(verdict.checks.find(({ name }) => name === "answer")!.examples[0]).toMatch(
        /^question q0, run 0: \d+ of \d+ tokens are the answer's by answer_token_count, \d+ by its text$/,
      );
    }
    const silent = lines.map((line) => {
      const { answer_token_count: _none, ...run } = JSON.parse(line) as RunRecord;
      return JSON.stringify(run);
    });
    await writeFile(workspace.runs("math"), silent.join("\n"));
    const verdict = await verify(0);
    expect(failures(verdict)).toEqual({});
    expect(verdict.checks.find(({ name }) => name === "answer")).toMatchObject({
      checked: 0,
      skipped: expect.stringContaining("do not record"),
    });
    await writeFile(workspace.runs("math"), runs);
  });

  it("does not compare with another model's states, and says so", async () => {
    const marked = states.toString("latin1").replace(/"weights_sha256":"./, '"weights_sha256":"-');
    await writeFile(workspace.hiddenStates("math"), Buffer.from(marked, "latin1"));
    const verdict = await verify();
    expect(failures(verdict)).toEqual({ model: 1 });
    expect(verdict.checks.at(-1)!.skipped).toBe("the states are not of this model");
  });

  it("is a command whose exit code says the verdict", async () => {
    const verdictOf = async (...args: string[]) => {
      const cli = createFakeCli();
      const code = await runCli(["trace", "--verify", "--threads", "1", "--out", root, ...args], cli.context);
      return { code, stdout: cli.stdout() };
    };
    const good = await verdictOf();
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(/ok token +\d+ of \d+ .*\n(.*\n)+ {2}passed\n$/);
    await editRow("last-token.layer.2", 0, (stored) => stored.fill(0));
    const bad = await verdictOf("--json", "--verify-sample", "0");
    expect(bad.code).toBe(1);
    const { kind, verdicts } = JSON.parse(bad.stdout.trimEnd().split("\n").at(-1)!);
    expect([kind, verdicts[0].passed, failures(verdicts[0])]).toEqual(["verdict", false, { zero: 1 }]);
  });
});

it("traces and verifies positions as the published code counts them", async () => {
  await finishStep(traceRuns(workspace, "math", { model, indices: "oatml-compat", force: true }));
  const verdict = await verify(1000);
  expect(failures(verdict)).toEqual({});
  const { metadata } = await readSafetensorsHeader(workspace.hiddenStates("math"));
  expect(metadata.indices).toBe("oatml-compat");
  const { rows } = await readJsonl(workspace.hiddenStatesIndex("math"), {
    parse: (value) => value as TraceRow,
  });
  const exact = index
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TraceRow);
  const of = (list: readonly TraceRow[], position: string, run: number) =>
    list.find((row) => row.position === position && row.question_id === "q0" && row.run_id === run)!;
  // an answer that ended: hidden[n - 2] is two tokens before the last of n
  expect(of(rows, "second-to-last", 0).token_index).toBe(of(exact, "second-to-last", 0).token_index - 2);
  expect(of(rows, "last-token", 0).token_index).toBe(of(exact, "second-to-last", 0).token_index - 1);
  expect(of(rows, "think-end", 0)).toEqual(of(exact, "think-end", 0));
});
