import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeRun } from "../../../test/fakes/make-run.ts";
import oatml from "../../../test/fixtures/foreign/oatml.json" with { type: "json" };
import polygraph from "../../../test/fixtures/foreign/polygraph.json" with { type: "json" };
import { extractAnswers } from "../grade-answer.ts";
import { type ImportedRuns, importRuns } from "./import-runs.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-import-"));
  path = join(folder, "runs.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../test/fixtures/foreign/${name}`, import.meta.url));

async function importLines(...lines: readonly unknown[]): Promise<ImportedRuns> {
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  await writeFile(path, texts.join("\n"));
  return importRuns(path);
}

test("the Python pipeline's runs: its prompt tokens, its inclusive span and its NaN are undone", async () => {
  const { format, questions, problems, duplicates } = await importRuns(fixture("python_runs.jsonl"));
  expect([format, duplicates]).toEqual(["python-runs", []]);
  expect(problems).toMatchObject([{ line: 4, reason: expect.stringContaining("partial last line") }]);
  expect(questions).toHaveLength(1);
  expect(questions[0]).toMatchObject({
    id: "7",
    question: "What is 6 * 7?",
    runIds: [0, 1, 2],
    texts: ["42", "42", "cut off"],
    extracted: ["42", "42", "cut off"],
    tokenLogprobs: null,
    sumLogprobs: null,
    tokenCounts: [8, 8, 8],
    thinkSpans: [
      [0, 4],
      [0, 4],
      [0, 8], // its reasoning was cut off
    ],
    isCorrect: [true, true, false],
  });
  expect(questions[0]?.tokenEntropies?.map((row) => row.length)).toEqual([8, 8, 8]);
});

test("cleaned files of the Python pipeline, and files with log-probabilities or without an answer's text", async () => {
  const base = { question_id: "q", run_id: 0, prompt: "p " };
  const { questions } = await importLines(
    {
      ...base,
      answer_text: "4",
      full_answer_text: "It is \\boxed{4}.",
      final_answer_text: "4",
      token_logprobs: [null, -1, -2],
    },
    { ...base, run_id: 1, output_text: "p thought</think> So 5. ", token_logprobs: [-1] },
  );
  expect(questions[0]).toMatchObject({
    texts: ["It is \\boxed{4}.", "So 5."],
    extracted: null, // of the second one it was not looked for
    tokenLogprobs: [[-1, -2], [-1]],
    sumLogprobs: [-3, -1],
    isCorrect: null,
  });
});

test("this package's runs: as the study has them, repeats left out, missing numbers filled in", async () => {
  const { format, questions, problems, duplicates } = await importLines(
    makeRun({ run_id: 1, question: "1 + 1?" }),
    makeRun({ run_id: 0 }),
    makeRun({ run_id: 1 }),
    { ...makeRun({ run_id: 2 }), tokens: [] },
    makeRun({ question_id: "q2" }),
  );
  expect(format).toBe("sep-runs");
  expect(questions.map(({ id, question, runIds }) => [id, question, runIds])).toEqual([
    ["q1", "1 + 1?", [0, 1]],
    ["q2", null, [0]],
  ]);
  expect(questions[0]).toMatchObject({
    sumLogprobs: [-0.75, -0.75],
    tokenCounts: [3, 3],
    extracted: ["2", "2"],
  });
  expect(duplicates).toMatchObject([{ line: 3, reason: 'question "q1" run 1 was already on line 1' }]);
  expect(problems).toMatchObject([{ line: 4, reason: '"tokens" is empty' }]);
  const bare = await importLines(
    { question_id: 1, answer_text: "a" },
    { question_id: 1, run_id: 0, answer_text: "b" },
  );
  expect(bare.questions[0]).toMatchObject({ runIds: [0, 1], texts: ["b", "a"] });
});

test("OATML's generations", async () => {
  const { format, questions } = await importRuns(fixture("oatml.json"));
  expect(format).toBe("oatml");
  const [first, second] = questions;
  expect(first).toMatchObject({
    id: "tc_0",
    question: "Capital of Peru?",
    texts: ["Lima", "Lima", "Quito"],
    isCorrect: [true, true, false],
    best: { text: "Lima", isCorrect: true, tokenEntropies: null },
  });
  const entry = oatml.tc_0;
  expect(first?.tokenLogprobs).toEqual(entry.responses.map((response) => response[1]));
  expect(first?.best?.tokenLogprobs).toEqual(entry.most_likely_answer.token_log_likelihoods);
  expect(first?.hiddenStates).toEqual(entry.responses.map((response) => (response[2] as number[][])[0]));
  expect(second?.id).toBe("tc_1");
});

test("lm-polygraph's statistics: the end token is found again", async () => {
  const { format, questions } = await importRuns(fixture("polygraph.json"));
  expect(format).toBe("polygraph");
  const { stats } = polygraph;
  expect(questions[1]).toMatchObject({
    id: "q-0002",
    question: "Who wrote Emma?",
    texts: ["Austen", "Bronte", "Jane Austen"],
    tokenCounts: [3, 3, 3],
    best: { text: "Austen", tokenLogprobs: stats.greedy_log_likelihoods[1], tokenEntropies: [0.2, 0.4] },
  });
  for (const [q, question] of questions.entries()) {
    for (const [i, sum] of question.sumLogprobs!.entries())
      expect(Math.abs(sum - stats.sample_log_probs[q]![i]!)).toBeLessThan(1e-12); // rounding
    expect(question.entailment?.[0]?.[1]?.entailment).toBe(stats.semantic_matrix_entail[q]![0]![1]);
    const { entailment, neutral, contradiction } = question.entailment![2]![1]!;
    expect(entailment + neutral + contradiction).toBeCloseTo(1, 6); // float32
    expect(question.hiddenStates?.[0]).toEqual(stats.sample_embeddings[q]![0]);
  }
  const bare = { sample_texts: [["a", "b"]], sample_log_probs: [[-1, -2]], sample_tokens: [[[1], [1, 2]]] };
  const only = await importLines(JSON.stringify(bare, null, 2));
  expect(only.questions[0]).toMatchObject({
    sumLogprobs: [-1, -2],
    tokenCounts: [1, 2],
    best: null,
    entailment: null,
  });
});

test("plain questions: texts, objects, columns, whole-answer log-probabilities, a list in one value", async () => {
  const rows = [
    {
      id: 3,
      question: "2 + 2?",
      answers: ["4", 4, null],
      token_logprobs: [[-1], [-2, -1], [-1]],
      is_correct: [1, 1, 0],
    },
    {
      answers: [
        { text: "a", logprob: -2, token_count: 4 },
        { text: "b", logprob: -1, token_count: 2 },
      ],
    },
    { answers: ["x", "y"], logprobs: [-2, -1], best_answer: { text: "y", token_logprobs: [-0.5] } },
    {
      question_id: "own",
      answers: [
        { run_id: 4, answer_text: "1" },
        { run_id: 2, answer_text: "2" },
      ],
    },
  ];
  const { format, questions } = await importLines(...rows);
  expect(format).toBe("plain-lines");
  expect(questions).toMatchObject([
    {
      id: "3",
      texts: ["4", "4", ""],
      sumLogprobs: [-1, -3, -1],
      tokenCounts: [1, 2, 1],
      isCorrect: [true, true, false],
    },
    { id: "q-0002", question: null, tokenLogprobs: null, sumLogprobs: [-2, -1], tokenCounts: [4, 2] },
    { id: "q-0003", sumLogprobs: [-2, -1], tokenCounts: null, best: { text: "y", tokenLogprobs: [-0.5] } },
    { id: "own", runIds: [4, 2], texts: ["1", "2"] },
  ]);
  const list = await importLines(JSON.stringify(rows));
  expect(list).toMatchObject({ format: "plain-json" });
  expect(list.questions).toEqual(questions);
});

test("numbers that are beyond all numbers are missing ones", async () => {
  const { questions } = await importLines(
    '{"answers":["x","y"],"logprobs":[1e999,-1]}',
    '{"answers":["x","y"],"logprobs":[[-1],[-1e999]]}',
    '{"answers":["x","y"],"logprobs":[[-1],[-Infinity]]}',
  );
  for (const question of questions)
    expect(question).toMatchObject({ tokenLogprobs: null, sumLogprobs: null });
  expect(questions).toHaveLength(3);
});

test("what cannot be used is named with its reason, and the others survive", async () => {
  const { questions, problems } = await importLines(
    '{"broken',
    { id: "a", answers: ["1", "2"], token_logprobs: [[-1]] },
    { id: "b", answers: ["1", "2"], token_logprobs: [[-1], ["x"]] },
    { id: "c", answers: ["1", "2"], token_logprobs: [[-1], [null]] },
    { id: "c", answers: ["1"] },
    { id: "d", answers: [] },
    { id: "e" },
    { id: "f", answers: [true] },
  );
  expect(questions.map(({ id, tokenLogprobs }) => [id, tokenLogprobs])).toEqual([["c", null]]);
  expect(problems.map(({ line, reason }) => [line, reason.replace(/^not JSON.*/, "not JSON")])).toEqual([
    [1, "not JSON"],
    [2, '"token_logprobs" has 1 entries for 2 answers'],
    [3, '"token_logprobs[0]" is "x", expected a number'],
    [5, 'id "c" was already on line 4'],
    [6, '"answers" is empty'],
    [7, '"answers" is missing'],
    [8, "an answer is true, expected text"],
  ]);
  const json = await importLines(
    JSON.stringify({ x: { responses: [["a", [-1], null, 1]] }, y: { responses: [["a"], 5] } }),
  );
  expect(json.questions).toHaveLength(1);
  expect(json.problems).toMatchObject([{ line: 2, reason: expect.stringContaining("responses[1]") }]);
});

test("files of no known format say so, and pickles how to make JSON of them", async () => {
  const refused = async (content: string | Uint8Array): Promise<string> => {
    await writeFile(path, content);
    const error: unknown = await importRuns(path).catch((cause) => cause);
    expect(error).toMatchObject({ code: "unknown-runs-format" });
    return (error as Error).message;
  };
  expect(await refused("")).toContain("neither JSON nor JSON lines");
  expect(await refused('{"a": 1}\n{"b": 2}')).toContain("neither JSON nor JSON lines");
  expect(await refused('{"a": 1}')).toContain("contains an object with a, which is not a known format");
  expect(await refused("[1, 2]")).toContain("contains a list of 2");
  expect(await refused('{"stats": {"greedy_texts": ["a"]}}')).toContain(
    'has no "sample_texts": give UEManager save_stats',
  );
  expect(await refused('{"stats": {"sample_texts": [[]]}}')).toContain(
    'nothing in it can be used: 1: "sample_texts" is empty',
  );
  expect(await refused(Uint8Array.of(0x80, 4, 0x95))).toContain("pickle.load(open(sys.argv[1], 'rb'))");
  expect(await refused(Buffer.from("PK\u0003\u0004"))).toContain(
    "torch.load(sys.argv[1], weights_only=False)",
  );
  await expect(importRuns(join(folder, "none"))).rejects.toMatchObject({ code: "missing-input" });
});

test("answers are looked for where the tool did not, by what most of them are", async () => {
  const { questions } = await importLines(
    { answers: ["So it is \\boxed{4}.", "Answer: 1/2", "I think 7"] },
    { answers: ["", "5"] },
  );
  expect(extractAnswers(questions)).toMatchObject({
    kind: "math",
    questions: [{ extracted: ["4", "1/2", "7"] }, { extracted: [null, "5"] }],
  });
  const open = await importLines({ answers: ["It is Lima. I was there.", "Quito", "4"] });
  expect(extractAnswers(open.questions)).toMatchObject({
    kind: "contains",
    questions: [{ extracted: ["It is Lima. I was there", "Quito", "4"] }],
  });
});

test("a first line longer than what is read at once, and a byte order mark", async () => {
  const long = "word ".repeat(50_000);
  const { questions } = await importLines(`\uFEFF${JSON.stringify({ answers: [long, "b"] })}`, {
    answers: ["c"],
  });
  expect(questions.map(({ texts }) => texts[0]?.length)).toEqual([long.length, 1]);
});

test("whatever JSON a file holds, it is read or refused with a reason", async () => {
  const row = fc.oneof(
    fc.jsonValue(),
    fc.record({ question_id: fc.jsonValue(), answer_text: fc.jsonValue(), token_entropies: fc.jsonValue() }),
    fc.record({ answers: fc.array(fc.jsonValue()), logprobs: fc.jsonValue(), best_answer: fc.jsonValue() }),
    fc.record({
      sample_texts: fc.jsonValue(),
      sample_log_probs: fc.jsonValue(),
      semantic_matrix_entail: fc.jsonValue(),
    }),
    fc.dictionary(fc.string(), fc.record({ responses: fc.jsonValue(), most_likely_answer: fc.jsonValue() })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 4 }), async (rows) => {
      const read = await importLines(...rows).catch((error: unknown) => error);
      if (read instanceof Error) {
        expect(read).toMatchObject({ code: "unknown-runs-format" });
        return;
      }
      const { questions } = read as ImportedRuns;
      for (const { texts, runIds, extracted } of extractAnswers(questions).questions)
        expect([texts.length, extracted.length]).toEqual([runIds.length, runIds.length]);
    }),
    { seed: 1, numRuns: 300 },
  );
});
