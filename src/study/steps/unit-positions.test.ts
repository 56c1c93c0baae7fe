import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { readTensors } from "../../../test/read-tensors.ts";
import { createLocalBackend } from "../../backends/local/local-backend.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../../cli/run-cli.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { UNIT_POSITIONS } from "../../engine/places.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { parseTraceRow, type TraceRow } from "../../states/state-index.ts";
import { readJsonl, writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { mergeShards } from "../shards/merge-shards.ts";
import { openShard, openWorkspace, type Workspace, withStudyRuns } from "../workspace.ts";
import { generateRuns } from "./generate-runs.ts";
import { type TraceRunsOptions, traceRuns } from "./trace-runs.ts";
import { type TraceVerdict, verifyTrace } from "./verify-trace.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/${name}`, import.meta.url));

/** Python's kernels sum in another order. */
const PYTHON_TOLERANCE = 1e-4;
/** Passes of other lengths sum in another order. */
const TOLERANCE = 1e-5;

let model: LanguageModel;
let root: string;
let workspace: Workspace;
let runs: readonly RunRecord[];
let marked: string;
/** The questions of the golden traces come first. */
let questions: readonly string[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-units-"));
  model = await loadModel("pocket", { threads: 1 });
  const { cases } = JSON.parse(await readFile(golden("pocket-greedy.json"), "utf8")) as {
    readonly cases: readonly { readonly question: string }[];
  };
  questions = cases.slice(0, 4).map(({ question }) => question);
  workspace = await studyOf({ runs: 1 });
  runs = (await readRuns(workspace.runs("math"))).runs;
  marked = join(root, "marked.jsonl");
  await writeJsonl(
    marked,
    runs.map(({ question_id, run_id, output_text }, i) => {
      const start = output_text.indexOf("\n") + 1;
      const end = output_text.indexOf("\n", start);
      return { question_id, run_id, start, end, label: i % 2, text: output_text.slice(start, end) };
    }),
  );
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function studyOf(options: Partial<Parameters<typeof generateRuns>[2]>): Promise<Workspace> {
  const own = openWorkspace(await mkdtemp(join(root, "study-")));
  await writeJsonl(
    own.raw("math"),
    questions.map((question, i) => ({ id: `q${i}`, question, answer: "1" })),
  );
  const sampler = { ...PLAIN_SAMPLER, temperature: 0, maxNewTokens: 160 };
  await finishStep(generateRuns(own, "math", { model, sampler, ...options }));
  return own;
}

/** A study with the same answers and no trace. */
async function copyRuns(): Promise<Workspace> {
  const own = openWorkspace(await mkdtemp(join(root, "copy-")));
  for (const path of [workspace.raw("math"), workspace.runs("math"), manifestPathOf(workspace.runs("math"))])
    await cp(path, join(own.root, relative(workspace.root, path)));
  return own;
}

const trace = (own: Workspace, options: Partial<TraceRunsOptions> = {}) =>
  traceRuns(own, "math", { model, positions: UNIT_POSITIONS, spans: marked, ...options });

const readIndex = async (own: Workspace): Promise<readonly TraceRow[]> =>
  (await readJsonl(own.hiddenStatesIndex("math"), { parse: parseTraceRow })).rows;

async function verify(own: Workspace, sample = 30): Promise<TraceVerdict> {
  const steps = verifyTrace(own, "math", { model, sample });
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
  }
}
const failuresOf = async (own: Workspace): Promise<readonly string[]> =>
  (await verify(own)).checks.filter(({ failed }) => failed > 0).map(({ name }) => name);

describe("positions with many tokens per answer", () => {
  let index: readonly TraceRow[];
  beforeAll(async () => {
    await finishStep(trace(workspace));
    index = await readIndex(workspace);
  });

  it("are the last tokens of steps, sentences, tokens and marked stretches, with their text", () => {
    const run = runs.toSorted((a, b) => b.tokens.length - a.tokens.length)[0];
    const own = index.filter(({ question_id }) => question_id === run!.question_id);
    const textOf = ({ text_span }: TraceRow): string => run!.output_text.slice(...text_span!);
    const at = (position: string) => own.filter((row) => row.position === position);
    const lines = run!.think_text.split("\n").filter((line) => line.trim() !== "");
    expect(lines.length).toBeGreaterThan(1);
    expect(at("step-end").map(textOf)).toEqual(lines);
    expect(at("sentence-end").map(textOf)).toEqual([...lines, run!.answer_text]);
    expect(at("every-token").map(textOf).join("")).toBe(run!.output_text);
    expect(at("spans").map(textOf)).toEqual([lines[0]]);
    expect(at("spans").map(({ label }) => label)).toEqual([runs.indexOf(run!) % 2]);
    for (const { span, token_index, token_id, position, text_span } of own) {
      // the row's token is the last of its stretch, and with it the text is complete and without it not
      expect(token_index).toBe(run!.prompt_tokens.length + span![1] - 1);
      expect(token_id).toBe(run!.tokens[span![1] - 1]);
      const upTo = (count: number) => model.tokenizer.decode(run!.tokens.slice(0, count)).length;
      expect(upTo(span![1])).toBeGreaterThanOrEqual(text_span![1]);
      expect(upTo(span![1] - 1), position).toBeLessThan(text_span![1]);
      expect(upTo(span![0])).toBeLessThanOrEqual(text_span![0]);
    }
    expect(at("every-token")).toHaveLength(run!.answer_token_count!);
  });

  it("have the states of Python transformers at just those tokens", async () => {
    const tensors = await readTensors(golden("pocket-trace.safetensors"));
    const hidden = await openHiddenStates(workspace.hiddenStates("math"));
    const { blockCount, hiddenSize } = model.config;
    for (const q of [0, 1]) {
      const run = runs[q]!;
      const ids = [...(tensors[`token_ids.${q}`] as Float32Array)];
      expect([...run.prompt_tokens, ...run.tokens]).toEqual(ids);
      const residuals = tensors[`residuals.${q}`] as Float32Array;
      const own = index.filter(({ question_id }) => question_id === `q${q}`);
      expect(own.length).toBeGreaterThan(20);
      for (const { position, row, token_index } of own)
        for (let layer = 0; layer <= blockCount; layer++) {
          const start = (token_index * (blockCount + 1) + layer) * hiddenSize;
          const expected = residuals.subarray(start, start + hiddenSize);
          expectAllClose(
            await hidden.read(position, layer, [row]),
            expected,
            PYTHON_TOLERANCE * scaleOf(residuals),
          );
        }
    }
  });

  it("are verified, and a row that is one token off is not", async () => {
    expect(await failuresOf(workspace)).toEqual([]);
    const path = workspace.hiddenStatesIndex("math");
    const original = await readFile(path, "utf8");
    for (const position of UNIT_POSITIONS) {
      const moved = index.map((row, i) =>
        i === index.findIndex((each) => each.position === position)
          ? { ...row, token_index: row.token_index - 1 }
          : row,
      );
      await writeJsonl(path, moved);
      expect(await failuresOf(workspace)).toEqual(expect.arrayContaining(["position"]));
    }
    await writeFile(path, original);
  });

  it("are the same when they are read while the answers are sampled", async () => {
    const positions = ["step-end", "sentence-end", "every-token"] as const;
    const backend = createLocalBackend(model);
    const own = await studyOf({ runs: 1, states: { backend, positions } });
    const unread = {
      ...backend,
      async *openReader(): ReturnType<typeof backend.openReader> {
        throw new Error("a second pass");
      },
    };
    await finishStep(trace(own, { model: unread, positions, spans: undefined }));
    const [got, expected] = await Promise.all(
      [own, workspace].map((each) => openHiddenStates(each.hiddenStates("math"))),
    );
    for (const position of positions) {
      const rows = Array.from({ length: expected!.rowCount(position) }, (_, row) => row);
      expect(got!.rowCount(position)).toBe(rows.length);
      for (const layer of [0, 2, 4]) {
        const states = await expected!.read(position, layer, rows);
        expectAllClose(await got!.read(position, layer, rows), states, TOLERANCE * scaleOf(states));
      }
    }
    expect((await readManifest(manifestPathOf(own.hiddenStates("math"))))?.counts).toMatchObject({
      rows_read_while_sampling: (await readIndex(own)).length,
    });
  });

  it("are stored in float16 on request, half as large, and refused where it cannot hold them", async () => {
    const own = await copyRuns();
    const { events } = await finishStep(trace(own, { statesDtype: "float16" }));
    const notes = events.flatMap((event) => (event.kind === "note" ? [event.message] : []));
    const rows = index.length;
    expect(notes.join()).toMatch(/every-token.* × 5 layers × 256 numbers in float16: \d/);
    const [half, whole] = await Promise.all(
      [own, workspace].map(async (each) => (await readFile(each.hiddenStates("math"))).length),
    );
    expect(whole! - half!).toBeGreaterThan(rows * 5 * 256 * 2 - 4096);
    const hidden = await openHiddenStates(own.hiddenStates("math"));
    const exact = await openHiddenStates(workspace.hiddenStates("math"));
    const all = Array.from({ length: exact.rowCount("every-token") }, (_, row) => row);
    const states = await exact.read("every-token", 3, all);
    // 11 significant bits
    for (const [i, value] of (await hidden.read("every-token", 3, all)).entries())
      expect(Math.abs(value - states[i]!)).toBeLessThanOrEqual(2 ** -11 * Math.abs(states[i]!) + 2 ** -25);
    expect(await failuresOf(own)).toEqual([]);
    const loud = {
      ...createLocalBackend(model),
      async *openReader() {
        return {
          concurrency: 1,
          read: async () => ({
            beforeGeneration: new Float32Array(1280).fill(1),
            answers: runs.map(({ tokens }) =>
              Array.from({ length: 5 }, () => new Float32Array(tokens.length * 256).fill(70_000)),
            ),
          }),
          [Symbol.asyncDispose]: async () => undefined,
        };
      },
    };
    await expect(
      finishStep(trace(own, { model: loud as never, statesDtype: "float16", force: true })),
    ).rejects.toThrow(/has a number of 70000, but float16 holds less than 65520/);
  });

  it("are the same after a stop, and when shards are joined", async () => {
    const own = await copyRuns();
    for await (const event of trace(own)) if (event.kind === "advanced" && event.done === 2) break;
    await finishStep(trace(own));
    const [states, lines] = [workspace.hiddenStates("math"), workspace.hiddenStatesIndex("math")];
    expect((await readFile(own.hiddenStates("math"))).equals(await readFile(states))).toBe(true);
    expect(await readFile(own.hiddenStatesIndex("math"), "utf8")).toBe(await readFile(lines, "utf8"));
    const joined = await copyRuns();
    for (const part of [1, 2])
      await finishStep(trace(await withStudyRuns(openShard(joined.root, { index: part, count: 2 }))));
    const merging = mergeShards(joined.root, {});
    while (!(await merging.next()).done);
    expect((await readFile(joined.hiddenStates("math"))).equals(await readFile(states))).toBe(true);
    expect(await readFile(joined.hiddenStatesIndex("math"), "utf8")).toBe(await readFile(lines, "utf8"));
  });

  it("are those of the observer's own tokens, where another model wrote", async () => {
    const own = await copyRuns();
    await finishStep(trace(own, { observer: {} }));
    const rows = await readIndex(own);
    for (const position of UNIT_POSITIONS) {
      const [got, expected] = [rows, index].map((each) => each.filter((row) => row.position === position));
      expect(got!.map(({ text_span }) => text_span)).toEqual(expected!.map(({ text_span }) => text_span));
    }
    expect(await failuresOf(own)).toEqual([]);
  });
});

describe("a file of marked stretches", () => {
  it.each([
    [{ run_id: 7 }, /there is no run 7 of question "q0"/],
    [{ end: 10_000 }, /characters 8 to 10000 of an answer of/],
    [{ end: 8 }, /characters 8 to 8/],
    [{ label: "wrong" }, /"label" is "wrong", expected 0 or 1/],
    [{ text: "elsewhere" }, /the answer reads "[^"]*" there, not "elsewhere": count in UTF-16 units/],
  ])("names what is wrong with a line: %j", async (changes, message) => {
    const path = join(root, "bad.jsonl");
    const good = { question_id: "q0", run_id: 0, start: 8, end: 10, label: true };
    await writeJsonl(path, [{ ...good, ...changes }]);
    await expect(finishStep(trace(workspace, { spans: path }))).rejects.toThrow(message);
    await writeJsonl(path, [{ ...good, ...changes }, good]);
    const own = await copyRuns();
    const { result } = await finishStep(trace(own, { spans: path, positions: ["spans"] }));
    expect(JSON.stringify(result)).toMatch(/bad-span-lines/);
    expect(await readIndex(own)).toMatchObject([{ position: "spans", label: 1, text_span: [8, 10] }]);
  });

  it("is needed by its position, and by no other", async () => {
    await expect(finishStep(trace(workspace, { spans: undefined }))).rejects.toThrow(/without --spans/);
    await expect(finishStep(trace(workspace, { positions: ["step-end"] }))).rejects.toThrow(
      /position spans is not read/,
    );
    const cli = createFakeCli();
    await runCli(["run", "--positions", "spans,last-token", "--out", join(root, "run")], cli.context);
    expect(cli.stderr()).toMatch(/stretches of answers can be marked only when there are answers/);
  });
});
