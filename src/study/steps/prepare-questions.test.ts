import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeDataset } from "../../../test/fakes/fake-model.ts";
import { createHubStage } from "../../../test/fakes/hub-stage.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { type DataSetName, openWorkspace, type Workspace } from "../workspace.ts";
import { prepareQuestions } from "./prepare-questions.ts";

let folder: string;
let workspace: Workspace;
let source: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-prepare-"));
  workspace = openWorkspace(join(folder, "study"));
  source = join(folder, "mine.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

async function run(
  options: Parameters<typeof prepareQuestions>[2],
  set: DataSetName = "math",
): Promise<{ readonly events: StepEvent[]; readonly result: StepResult }> {
  const events: StepEvent[] = [];
  const step = prepareQuestions(workspace, set, options);
  for (;;) {
    const next = await step.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}

const LINES =
  '{"id":"a","question":"1?","answer":"1"}\n{"id":"b"}\n{"id":"c","question":"3?","answer":3,"more":0}\n';

test("good questions are written in one schema and the bad lines are counted and shown", async () => {
  await writeFile(source, LINES);
  const { events, result } = await run({ source });
  expect(await readFile(workspace.raw("math"), "utf8")).toBe(
    '{"id":"a","question":"1?","answer":"1"}\n{"id":"c","question":"3?","answer":"3"}\n',
  );
  const warning = {
    code: "bad-lines",
    message: '1 lines of mine.jsonl were left out: line 2: "question" is missing',
  };
  expect(result).toMatchObject({
    step: "prepare",
    part: "math",
    status: "ran",
    counts: { questions: 2, bad_lines: 1 },
    warnings: [warning],
  });
  expect(events).toContainEqual({ kind: "warning", step: "prepare", part: "math", warning });
  const manifest = await readFile(manifestPathOf(workspace.raw("math")), "utf8");
  expect(manifest).not.toContain(folder);
});

test("a downloaded set: its commit, its order and what was left out are in the record", async () => {
  const parquet = await readFile(
    new URL("../../../test/fixtures/questions/squad-2.parquet", import.meta.url),
  );
  const squad = createFakeDataset("rajpurkar/squad_v2", { "squad_v2/validation/0000.parquet": parquet });
  await using stage = await createHubStage([squad]);
  const options = { source: "squad-2", hub: { env: stage.env }, shuffleSeed: 7, noContext: true };
  const { result, events } = await run(options);
  expect(result.counts).toEqual({ questions: 2, bad_lines: 0, left_out: 1 });
  expect(JSON.stringify(events)).toContain("1 questions left out: unanswerable");
  const manifest = await readManifest(manifestPathOf(workspace.raw("math")));
  expect(manifest?.settings).toEqual({
    source: "rajpurkar/squad_v2/squad_v2/validation",
    source_sha256: createHash("sha256").update(parquet).digest("hex"),
    commit: squad.refs.get("refs/convert/parquet"),
    limit: null,
    shuffle_seed: 7,
    no_context: true,
  });
  stage.fake.clear();
  expect((await run(options)).result.status).toBe("up-to-date");
  expect((await run({ ...options, unanswerable: "keep" })).result.counts).toMatchObject({ questions: 3 });
  expect(stage.fake.requests).toEqual([]);
});

test("it is up to date until the source or the limit changes", async () => {
  await writeFile(source, LINES);
  await run({ source });
  expect((await run({ source })).result).toMatchObject({ status: "up-to-date", counts: { questions: 2 } });
  expect((await run({ source, force: true })).result.status).toBe("ran");

  const limited = await run({ source, limit: 1 });
  expect(limited.result).toMatchObject({ status: "ran", counts: { questions: 1 } });
  expect(JSON.stringify(limited.events)).toContain("limit was null and is now 1");

  await writeFile(source, LINES.replace("1?", "one?"));
  const changed = await run({ source, limit: 1 });
  expect(JSON.stringify(changed.events)).toContain("source_sha256 was");
  expect(await readFile(workspace.raw("math"), "utf8")).toContain("one?");
});

test("questions that were edited, or put there by hand, are not replaced unless forced", async () => {
  await writeFile(source, LINES);
  await run({ source });
  await writeFile(workspace.raw("math"), "edited");
  await expect(run({ source })).rejects.toThrow(/was edited since it was made/);
  await rm(manifestPathOf(workspace.raw("math")));
  await expect(run({ source })).rejects.toThrow(/`sep prepare` did not make it/);
  expect(await readFile(workspace.raw("math"), "utf8")).toBe("edited");
  expect((await run({ source, force: true })).result.status).toBe("ran");
});

test("a built-in set is named in the manifest", async () => {
  const { result } = await run({ source: "arithmetic", limit: 5 });
  expect(result.counts).toEqual({ questions: 5, bad_lines: 0 });
  const manifest = await readManifest(manifestPathOf(workspace.raw("math")));
  expect(manifest?.settings).toMatchObject({ source: "arithmetic", limit: 5 });
});

test("aliases and worked solutions stay with their question", async () => {
  const questions = [
    { id: "a", question: "1?", answer: "8", aliases: ["eight"] },
    { id: "b", question: "2?", answer: "9", solution: "8 + 1 = 9\n#### 9" },
  ];
  await writeFile(source, questions.map((question) => JSON.stringify(question)).join("\n"));
  await run({ source });
  const written = await readFile(workspace.raw("math"), "utf8");
  expect(
    written
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(questions);
});

test("a useless source leaves what there is", async () => {
  await writeFile(source, LINES);
  await run({ source });
  const before = await readFile(workspace.raw("math"), "utf8");
  await writeFile(source, "no question\n");
  await expect(run({ source })).rejects.toMatchObject({ code: "bad-question-file" });
  expect(await readFile(workspace.raw("math"), "utf8")).toBe(before);
});

test("repeated questions, and those of the first set, are warned of each time and written all the same", async () => {
  const write = (...questions: string[]): Promise<void> =>
    writeFile(
      source,
      questions.map((question, i) => `${JSON.stringify({ id: `q${i}`, question, answer: "1" })}\n`).join(""),
    );
  await write("What is 1 + 1?", "what is 1+1", "What is 2 + 2?");
  const repeated = {
    code: "duplicate-questions",
    message: expect.stringMatching(/^1 questions repeat others .*: "q1" repeats "q0"\./),
  };
  for (const status of ["ran", "up-to-date"]) {
    const { events, result } = await run({ source });
    expect(result).toMatchObject({ status, counts: { questions: 3 }, warnings: [] });
    expect(events).toContainEqual({ kind: "warning", step: "prepare", part: "math", warning: repeated });
  }
  await write("How many are 2 + 2?", "What is 2 + 2");
  const { events } = await run({ source }, "ood");
  expect(events).toContainEqual({
    kind: "warning",
    step: "prepare",
    part: "ood",
    warning: {
      code: "shared-questions",
      message: expect.stringMatching(
        /^1 of 2 questions are also in the first set, .*: "q1"\. Give other questions/,
      ),
    },
  });
});
