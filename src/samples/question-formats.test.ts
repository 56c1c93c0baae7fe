import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, test } from "vitest";
import { type LoadQuestionsOptions, loadQuestions } from "./load-questions.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../test/fixtures/questions/${name}.parquet`, import.meta.url));

const CONTEXT = "Mill Lane was paved in 1887. Its lamps came from Leeds.";

test.each<[name: string, format: string, questions: readonly object[], leftOut?: Record<string, number>]>([
  [
    "trivia-qa",
    "trivia-qa",
    [
      {
        id: "tc_1",
        question: "Which river runs through Paris?",
        answer: "Seine",
        aliases: ["River Seine", "Sequana"], // "The Seine" is the same without its article
      },
      { id: "tc_2", question: "Who wrote Emma?", answer: "Jane Austen", aliases: ["Austen"] },
      {
        id: "tc_3",
        question: "Which planet is the largest?",
        answer: "Jupiter",
        aliases: ["Jupiter (planet)"],
      },
    ],
  ],
  [
    "squad-2",
    "squad",
    [
      {
        id: "56be1",
        question: "When was Mill Lane paved?",
        answer: "1887",
        aliases: ["in 1887"],
        context: CONTEXT,
      },
      { id: "56be2", question: "Where did its lamps come from?", answer: "Leeds", context: CONTEXT },
    ],
    { unanswerable: 1 },
  ],
  [
    "nq-open",
    "nq-open",
    [
      {
        id: "nq-open-0001",
        question: "who wrote the opera carmen?",
        answer: "Georges Bizet",
        aliases: ["Bizet"],
      },
      { id: "nq-open-0002", question: "when was the eiffel tower finished?", answer: "1889" },
    ],
  ],
  [
    "truthful-qa",
    "truthful-qa",
    [
      {
        id: "truthful-qa-0001",
        question: "What happens if you swallow gum?",
        answer: "It passes through you",
        aliases: ["Nothing in particular happens"],
        rejected: ["It stays in your stomach for seven years", "You will die"],
      },
    ],
  ],
  [
    "math-500",
    "math",
    [
      {
        id: "test/prealgebra/1.json",
        question: "What is $\\frac{1}{2} + \\frac{1}{3}$?",
        answer: "\\frac{5}{6}",
        solution: "The sum is $\\boxed{\\frac{5}{6}}$.",
      },
    ],
  ],
  [
    "gsm8k",
    "gsm8k",
    [
      {
        id: "gsm8k-0001",
        question: "Ann has 3 hens and buys 4. How many?",
        answer: "7",
        solution: "3 + 4 = 7 hens.\n#### 7",
      },
    ],
  ],
])("%s from the Parquet of the hub", async (name, format, questions, leftOut = {}) => {
  const loaded = await loadQuestions(fixture(name));
  expect(loaded).toMatchObject({ format, problems: [] });
  expect(loaded.questions).toEqual(questions);
  expect(Object.fromEntries(loaded.leftOut)).toEqual(leftOut);
});

it("keeps unanswerable questions where asked to, and leaves contexts out", async () => {
  const { questions, leftOut } = await loadQuestions(fixture("squad-2"), {
    unanswerable: "keep",
    noContext: true,
  });
  expect(questions[2]).toEqual({
    id: "56be3",
    question: "Who paved Mill Lane?",
    answer: "unanswerable",
    aliases: ["no answer", "not answerable", "unknown"],
  });
  expect(questions.some((question) => "context" in question)).toBe(false);
  expect(leftOut.size).toBe(0);
});

it("takes questions in a random order that the seed decides, before the limit", async () => {
  const ids = async (options: LoadQuestionsOptions): Promise<string[]> =>
    (await loadQuestions("general", options)).questions.map(({ id }) => id);
  const all = await ids({});
  const drawn = await ids({ shuffleSeed: 1, limit: 20 });
  expect(await ids({ shuffleSeed: 1, limit: 20 })).toEqual(drawn);
  expect(await ids({ shuffleSeed: 2, limit: 20 })).not.toEqual(drawn);
  expect((await ids({ shuffleSeed: 1 })).toSorted()).toEqual(all.toSorted());
  expect(drawn).not.toEqual(all.slice(0, 20));
});

it("says why nothing of a set can be asked, and that a file is not what its name says", async () => {
  await expect(loadQuestions(fixture("trivia-qa-test"))).rejects.toMatchObject({
    code: "bad-question-file",
    message: /No line of trivia-qa-test\.parquet is a question: 1 are without a reference answer\./,
  });
  const folder = await mkdtemp(join(tmpdir(), "sep-formats-"));
  try {
    const path = `${folder}/cut.parquet`;
    await writeFile(path, (await readFile(fixture("gsm8k"))).subarray(0, 500));
    await expect(loadQuestions(path)).rejects.toMatchObject({
      code: "bad-question-file",
      message: /cut\.parquet cannot be read as Parquet \(.*Download it again/,
    });
    await expect(loadQuestions(`${folder}/none.parquet`)).rejects.toMatchObject({ code: "missing-input" });
    await expect(loadQuestions(`${folder}/none.json`)).rejects.toMatchObject({ code: "missing-input" });
    for (const [text, message] of [
      ['{"questions": 5}', /has the keys questions, expected a list/],
      ["5", /has the keys of no object, expected a list/],
      ["[1, 2", /is not JSON/],
      ["[1]", /line 1: expected an object, got 1/],
    ] as const) {
      await writeFile(`${folder}/bad.json`, text);
      await expect(loadQuestions(`${folder}/bad.json`)).rejects.toMatchObject({
        code: "bad-question-file",
        message,
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

const BIOASQ = {
  questions: [
    { id: "5a", type: "factoid", body: "Which gene is lost?", exact_answer: [["SMN1", "smn1"], ["SMN"]] },
    { id: "5b", type: "list", body: "Which drugs?", exact_answer: [["Aspirin", "ASA"], ["Ibuprofen"]] },
    { id: "5c", type: "yesno", body: "Is it dominant?", exact_answer: "no" },
    { id: "5d", type: "summary", body: "What is it?", ideal_answer: ["A disease."] },
  ],
};
const SQUAD = {
  version: "v2.0",
  data: [
    {
      title: "Mill_Lane",
      paragraphs: [
        {
          context: CONTEXT,
          qas: [
            {
              id: "a",
              question: "When?",
              answers: [{ text: "1887", answer_start: 23 }],
              is_impossible: false,
            },
            { id: "b", question: "Who?", answers: [], plausible_answers: [], is_impossible: true },
          ],
        },
      ],
    },
  ],
};
const TRIVIA = {
  Data: [
    { Question: "Which river?", QuestionId: "tc_9", Answer: { Value: "Seine", Aliases: ["Sequana"] } },
    { Question: "Hidden?", QuestionId: "tc_10" },
  ],
};

test.each([
  [
    "BioASQ",
    BIOASQ,
    [
      { id: "5a", question: "Which gene is lost?", answer: "SMN1", aliases: ["SMN"] },
      { id: "5b", question: "Which drugs?", answer: "Aspirin", aliases: ["ASA", "Ibuprofen"] },
      { id: "5c", question: "Is it dominant?", answer: "no" },
    ],
    "without an exact answer",
  ],
  ["SQuAD", SQUAD, [{ id: "a", question: "When?", answer: "1887", context: CONTEXT }], "unanswerable"],
  [
    "TriviaQA",
    TRIVIA,
    [{ id: "tc_9", question: "Which river?", answer: "Seine", aliases: ["Sequana"] }],
    "without a reference answer",
  ],
] as const)("%s as its authors publish it", async (_name, document, questions, reason) => {
  const folder = await mkdtemp(join(tmpdir(), "sep-formats-"));
  try {
    await writeFile(`${folder}/data.json`, `\uFEFF${JSON.stringify(document, null, 2)}`);
    const loaded = await loadQuestions(`${folder}/data.json`);
    expect(loaded.questions).toEqual(questions);
    expect(Object.fromEntries(loaded.leftOut)).toEqual({ [reason]: 1 });
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("reads rows from a list, or one per line in a file called .json", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sep-formats-"));
  const row = { question: "1?", answer: "1", context: "One.", rejected: ["2"] };
  try {
    for (const text of [
      JSON.stringify([row, row]),
      `${JSON.stringify(row)}\n${JSON.stringify(row)}\n`,
      JSON.stringify(row),
    ]) {
      await writeFile(`${folder}/rows.json`, text);
      const { questions } = await loadQuestions(`${folder}/rows.json`);
      expect(questions[0]).toEqual({ id: "q-0001", ...row });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
