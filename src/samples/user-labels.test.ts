import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeRun } from "../../test/fakes/make-run.ts";
import { applyUserLabels, readUserLabels } from "./user-labels.ts";

const IDS = new Set(["q1", "q2"]);
const RUNS = ["q1", "q2"].flatMap((question_id) =>
  [0, 1].map((run_id) => makeRun({ question_id, run_id, is_correct: null })),
);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-labels-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(...rows: readonly unknown[]): ReturnType<typeof readUserLabels> {
  const path = join(folder, "labels.jsonl");
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return readUserLabels(path, IDS);
}

test("a label of one sample counts before that of its question", async () => {
  const labels = await read(
    { question_id: "q1", correct: true },
    { question_id: "q1", run_id: 1, correct: 0.49 },
    { question_id: "q2", run_id: 0, correct: 1, comment: "fine" },
    { question_id: "q2", run_id: 1, correct: 0.5 },
  );
  const graded = applyUserLabels(labels, RUNS, "samples");
  expect(graded.map(({ is_correct }) => is_correct)).toEqual([true, false, true, true]);
  const wanted = RUNS.map(({ is_correct: _, ...run }) => run);
  expect(graded.map(({ is_correct: _, ...run }) => run)).toEqual(wanted);
});

test("labels of the best answers leave the samples without a grade", async () => {
  const labels = await read(
    { question_id: "q1", run_id: "best", correct: false },
    { question_id: "q2", run_id: "best", correct: true },
  );
  const best = RUNS.filter(({ run_id }) => run_id === 0);
  expect(applyUserLabels(labels, best, "best").map(({ is_correct }) => is_correct)).toEqual([false, true]);
  expect(applyUserLabels(labels, RUNS, "samples").every(({ is_correct }) => is_correct === null)).toBe(true);
});

test.each([
  [[{ question_id: "q9", correct: true }], 'line 1: question "q9" is not in the study'],
  [
    [
      { question_id: "q1", correct: true },
      { question_id: "q1", correct: true },
    ],
    'line 2: question "q1" has a label already',
  ],
  [[{ question_id: "q1", correct: "yes" }], 'line 1: "correct" is "yes", expected true, false or a number'],
  [[{ question_id: "q1", correct: 2 }], '"correct" is 2'],
  [[{ question_id: "q1", run_id: -1, correct: true }], '"run_id"'],
  [[{ correct: true }], '"question_id" is missing'],
  [[], "it is empty"],
])("%j is refused", async (rows, message) => {
  await expect(read(...rows)).rejects.toMatchObject({
    code: "bad-labels-file",
    message: expect.stringContaining(message),
  });
});

test("answers without a label, and labels without an answer, are named", async () => {
  const labels = await read(
    { question_id: "q1", correct: true },
    { question_id: "q2", run_id: 1, correct: true },
    { question_id: "q2", run_id: 7, correct: true },
  );
  expect(() => applyUserLabels(labels, RUNS, "samples")).toThrow(
    'sample 7 of question "q2" does not exist; sample 0 of question "q2" has no label.',
  );
});
