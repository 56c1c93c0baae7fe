import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadQuestions } from "./load-questions.ts";
import { BUILT_IN_QUESTIONS } from "./locate-questions.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-questions-"));
  path = join(folder, "q.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const writeLines = (...lines: (string | object)[]): Promise<void> =>
  writeFile(
    path,
    `${lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n")}\n`,
  );

test.each(BUILT_IN_QUESTIONS)("the built-in set %s is whole", async (name) => {
  const { questions, problems, format } = await loadQuestions(name);
  expect(problems).toEqual([]);
  expect(format).toBe("plain");
  expect(questions.length).toBeGreaterThanOrEqual(100);
  expect(await loadQuestions(name, { limit: 3 })).toMatchObject({ questions: questions.slice(0, 3) });
});

test("a plain file: numbers as text, missing ids from the line", async () => {
  await writeLines({ id: 7, question: "2 + 2?", answer: 4 }, "", { question: "Of #### what?", answer: "x" });
  expect((await loadQuestions(path)).questions).toEqual([
    { id: "7", question: "2 + 2?", answer: "4" },
    { id: "q-0003", question: "Of #### what?", answer: "x" },
  ]);
});

test("aliases are kept; what is not a list of texts is a problem", async () => {
  await writeLines(
    { id: "a", question: "1?", answer: "8", aliases: ["eight", 8] },
    { id: "b", question: "2?", answer: "8", aliases: "eight" },
    { id: "c", question: "3?", answer: "8", aliases: ["eight", ""] },
    { id: "d", question: "4?", answer: "8", aliases: [] },
  );
  const { questions, problems } = await loadQuestions(path);
  expect(questions).toEqual([
    { id: "a", question: "1?", answer: "8", aliases: ["eight", "8"] },
    { id: "d", question: "4?", answer: "8" },
  ]);
  expect(problems.map(({ line, reason }) => [line, reason])).toEqual([
    [2, '"aliases" is "eight", expected a list of texts'],
    [3, '"aliases[1]" is empty'],
  ]);
});

test("a file in GSM8K's format, from the data set itself", async () => {
  const excerpt = fileURLToPath(new URL("../../test/fixtures/gsm8k-excerpt.jsonl", import.meta.url));
  const { questions, problems, format } = await loadQuestions(excerpt);
  expect([format, problems]).toEqual(["gsm8k", []]);
  expect(questions.map(({ id, answer }) => [id, answer])).toEqual([
    ["gsm8k-0001", "18"],
    ["gsm8k-0002", "3"],
    ["gsm8k-0003", "70000"],
  ]);
  expect(questions[0]?.question).toMatch(/^Janet’s ducks lay 16 eggs/);
  expect(questions[0]?.solution).toMatch(/^Janet sells 16 - 3 - 4 = 9 duck eggs[^<]*#### 18$/s);
});

test("GSM8K's final answer loses its commas; a row without one is a problem", async () => {
  await writeLines(
    { question: "a", answer: "1,000 + 234 = 1,234\n#### 1,234,567 " },
    { question: "b", answer: "no final line" },
    { question: "c", answer: "#### -5\n#### 6" },
  );
  const { questions, problems } = await loadQuestions(path);
  expect(questions.map(({ answer }) => answer)).toEqual(["1234567", "6"]);
  expect(problems).toMatchObject([{ line: 2, reason: expect.stringContaining("####") }]);
});

test("bad lines are reported with number and reason, and the good ones survive", async () => {
  await writeLines(
    '{"id":"a","question":',
    { id: "a", question: "1?", answer: "1" },
    { id: "b", question: "2?" },
    { id: "a", question: "3?", answer: "3" },
    { id: "c", question: "  ", answer: "4" },
    { id: "d", question: "5?", answer: true },
    [1],
    { id: "e", question: "7?", answer: "7" },
    '{"id":"f","question":"8',
  );
  const { questions, problems } = await loadQuestions(path);
  expect(questions.map(({ id }) => id)).toEqual(["a", "e"]);
  expect(problems.map(({ line, reason }) => [line, reason.replace(/^not JSON.*/, "not JSON")])).toEqual([
    [1, "not JSON"],
    [3, '"answer" is missing'],
    [4, 'id "a" was already on line 2'],
    [5, '"question" is empty'],
    [6, '"answer" is true, expected text'],
    [7, "expected an object, got [1]"],
    [9, "not JSON"],
  ]);
});

test("a file without any question, an empty one, a missing one, and a limit of nothing are errors", async () => {
  await writeLines("x", "y");
  await expect(loadQuestions(path)).rejects.toMatchObject({
    code: "bad-question-file",
    message: /line 1: not JSON/,
  });
  await writeFile(path, "");
  await expect(loadQuestions(path)).rejects.toMatchObject({
    code: "bad-question-file",
    message: /it is empty/,
  });
  await expect(loadQuestions("arithmetics")).rejects.toMatchObject({
    code: "missing-input",
    message: /no question file arithmetics\..*arithmetic, word-problems.*trivia-qa/,
  });
  for (const limit of [0, -1, 1.5, Number.NaN])
    await expect(loadQuestions(path, { limit })).rejects.toMatchObject({ code: "bad-option" });
});
