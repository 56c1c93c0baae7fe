import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeRun } from "../../test/fakes/make-run.ts";
import { createRunsReader, readRuns } from "./read-runs.ts";
import { parseRun } from "./run-record.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-runs-"));
  path = join(folder, "math_runs.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const lines = (...rows: unknown[]): string => rows.map((row) => JSON.stringify(row)).join("\n");

test("good runs survive malformed lines, repeated runs and an interrupted writer", async () => {
  const runs = [makeRun(), makeRun({ run_id: 1, think_token_indices: null, think_status: "none" })];
  const repeated = makeRun({ run_id: 1, answer_text: "again" });
  const other = makeRun({ question_id: "q2", run_id: 1, mean_think_entropy: null, extracted_answer: null });
  await writeFile(path, `${lines(runs[0], { a: 1 }, runs[1], repeated, other)}\n{"dataset":"ma`);
  expect(await readRuns(path)).toEqual({
    runs: [...runs, other],
    problems: [
      { line: 2, reason: '"tokens" is missing', excerpt: '{"a":1}' },
      { line: 6, reason: "partial last line: the writer was interrupted", excerpt: '{"dataset":"ma' },
    ],
    duplicates: [{ line: 4, reason: 'question "q1" run 1 was already on line 3', excerpt: "again" }],
  });
});

test.each<[changes: object, reason: string]>([
  [{ run_id: -1 }, '"run_id" is -1, expected a whole number from 0'],
  [{ run_id: "0" }, '"run_id" is "0"'],
  [{ question_id: 7 }, '"question_id" is 7, expected a string'],
  [{ tokens: [] }, '"tokens" is empty'],
  [{ tokens: [1, null, 2] }, '"tokens[1]" is null, expected a number'],
  [{ token_logprobs: [-1] }, '"token_logprobs" has 1 numbers for 3 tokens'],
  [{ token_logprobs: [null, null, null] }, '"token_logprobs[0]" is null'],
  [{ token_entropies: null }, '"token_entropies" is null, expected a list of numbers'],
  [{ think_token_indices: [0] }, '"think_token_indices" has 1 numbers'],
  [{ think_token_indices: [2, 1] }, '"think_token_indices" is [2, 1] in 3 tokens'],
  [{ think_token_indices: [0, 3] }, '"think_token_indices" is [0, 3] in 3 tokens'],
  [{ think_token_indices: null }, "and the reasoning closed"],
  [{ answer_token_count: 4 }, '"answer_token_count" is 4 for 3 tokens'],
  [{ answer_token_count: 1.5 }, '"answer_token_count" is 1.5, expected a whole number from 0'],
  [{ answer_token_count: 1 }, '"think_token_indices" is [0, 1] in 1 tokens'],
  [{ think_status: "open" }, '"think_status" is "open", expected one of closed, truncated, none'],
  [{ finish_reason: "eos" }, "expected one of stop, length"],
  [{ is_correct: 1 }, '"is_correct" is 1, expected true or false'],
  [{ sampler: null }, "expected an object, got null"],
])("%j is refused", (changes, reason) => {
  expect(() => parseRun({ ...makeRun(), ...changes })).toThrow(reason);
});

test("reasoning cut off by the length reaches to the end of the tokens", () => {
  const truncated = makeRun({ think_status: "truncated", think_token_indices: [1, 3] });
  expect(parseRun(truncated)).toEqual(truncated);
});

test("a reader reads a file again only after it has changed", async () => {
  await writeFile(path, `${JSON.stringify(makeRun())}\n`);
  const read = createRunsReader();
  const first = await read(path);
  expect(await read(path)).toBe(first);
  await writeFile(path, `${JSON.stringify(makeRun({ run_id: 7 }))}\n\n`);
  expect((await read(path)).runs.map((run) => run.run_id)).toEqual([7]);
  await expect(read(`${path}.not`)).rejects.toMatchObject({ code: "missing-input" });
});
