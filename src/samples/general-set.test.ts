import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { eachSampled } from "../../test/each-sampled.ts";
import { isMathematical } from "../text/math-equivalent.ts";
import { matchesOpenAnswer, normalizeAnswer } from "../text/open-answer.ts";
import { locateFile } from "./locate-questions.ts";
import { parseQuestion, type Question } from "./question.ts";

const text = await readFile(locateFile("general").paths[0]!, "utf8");
const QUESTIONS: readonly Question[] = text
  .trimEnd()
  .split("\n")
  .map((line, at) => parseQuestion(JSON.parse(line), at + 1));
const accepted = ({ answer, aliases = [] }: Question): string[] => [answer, ...aliases];

it("has at least 220 questions with ids in order, none twice", () => {
  expect(QUESTIONS.length).toBeGreaterThanOrEqual(220);
  QUESTIONS.forEach(({ id }, at) => {
    expect(id).toBe(`general-${String(at + 1).padStart(4, "0")}`);
  });
  expect(new Set(QUESTIONS.map(({ question }) => normalizeAnswer(question))).size).toBe(QUESTIONS.length);
});

it("has short answers, which their questions do not give away", () => {
  for (const { question, ...answers } of QUESTIONS) {
    for (const answer of accepted({ question, ...answers })) {
      expect(answer.split(/\s+/).length, answer).toBeLessThanOrEqual(3);
      expect(` ${normalizeAnswer(question)} `, answer).not.toContain(` ${normalizeAnswer(answer)} `);
    }
  }
});

it("is a set of open answers, some of them numbers", () => {
  const numbers = QUESTIONS.filter(({ answer }) => isMathematical(answer)).length;
  expect(numbers).toBeGreaterThan(20);
  expect(numbers).toBeLessThan(QUESTIONS.length / 3);
});

eachSampled<[rule: "squad-f1" | "contains", step: number]>(
  [
    ["squad-f1", 5],
    ["contains", 5],
    ["squad-f1", 1],
    ["contains", 1],
  ],
  { sample: 2 },
)("its wrong answers are wrong by %s, asked of each question or of one in %i", (rule, step) => {
  const mistaken: string[] = [];
  for (const asked of QUESTIONS.filter((_, at) => at % step === 0)) {
    const own = new Set(accepted(asked).map(normalizeAnswer));
    for (const said of QUESTIONS.flatMap(accepted)) {
      if (own.has(normalizeAnswer(said))) continue;
      if (matchesOpenAnswer(rule, said, { accepted: accepted(asked), question: asked.question }))
        mistaken.push(`${asked.question} ${said}`);
    }
  }
  expect(mistaken).toEqual([]);
});
