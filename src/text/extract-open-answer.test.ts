import { expect, test } from "vitest";
import type { AnswerRule } from "./extract-answer.ts";
import { extractOpenAnswer } from "./extract-open-answer.ts";

test.each<[text: string, answer: string, rule: AnswerRule]>([
  ["Paris", "Paris", "first-sentence"],
  [" Paris.\nQuestion: What is next?", "Paris", "first-sentence"],
  ['"**Paris**."', "Paris", "first-sentence"],
  [
    "The capital of France is Paris. It lies on the Seine.",
    "The capital of France is Paris",
    "first-sentence",
  ],
  ["J. K. Rowling wrote it. She is British.", "J. K. Rowling wrote it", "first-sentence"],
  ["St. Petersburg. It is in Russia.", "St. Petersburg", "first-sentence"],
  ["The U.S. dollar. Others too.", "The U.S. dollar", "first-sentence"],
  ["It is 3.5 metres. Or so.", "It is 3.5 metres", "first-sentence"],
  ["## Paris\nmore", "Paris", "first-sentence"],
  ["Answer: Paris", "Paris", "answer-marker"],
  ["**Answer:** Paris. It lies on the Seine.", "Paris", "answer-marker"],
  ["Let me think. The correct answer is: Paris.", "Paris", "answer-marker"],
  ["I wonder.\nFinal answer: Paris\nAnswer: Rome", "Paris", "answer-marker"],
  ["Hm: \\boxed{Lyon}, no, \\boxed{\\text{Paris}}.", "Paris", "boxed"],
  ["To answer is hard. Paris.", "To answer is hard", "first-sentence"],
])("%j", (text, answer, rule) => {
  expect(extractOpenAnswer(text)).toEqual({ answer, rule });
});

test.each(["", " \n\t ", "\\boxed{}\n", "."])("%j has no answer, or only its own text", (text) => {
  const found = extractOpenAnswer(text);
  if (!text.includes("boxed")) expect(found).toBeNull();
  else expect(found?.rule).toBe("first-sentence");
});

test("hostile texts take linear time", () => {
  const hostile = [
    "\\boxed{",
    "answer is ",
    "answer:\n",
    "the answer",
    '"',
    "*",
    "A. ",
    ".",
    "!",
    "#",
    " ",
    "\n",
  ];
  const startedAt = performance.now();
  for (const piece of hostile) extractOpenAnswer(piece.repeat(30_000));
  // About 0.2 s; quadratic time would be minutes. A wide margin, as this is the only clock in the tests.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
