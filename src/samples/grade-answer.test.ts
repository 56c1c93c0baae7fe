import { expect, it, test } from "vitest";
import { chooseCorrectness, gradeAnswer, leaveUngraded } from "./grade-answer.ts";

const PARIS = { id: "a", question: "What is the capital of France?", answer: "Paris" };
const SPIDER = { id: "b", question: "How many legs has a spider?", answer: "8", aliases: ["eight"] };

test.each([
  ["It is Paris. It has 2 million people.", PARIS, "contains", true, "It is Paris. It has 2 million people"],
  ["It is Paris. It has 2 million people.", PARIS, "squad-f1", false, "It is Paris. It has 2 million people"], // F1 = 2/9
  ["It is Paris", PARIS, "squad-f1", true, "It is Paris"], // F1 = 2/4
  ["The capital is the city of Paris.", PARIS, "squad-f1", false, "The capital is the city of Paris"],
  ["It is Paris. It has 2 million people.", PARIS, "math", false, "2"],
  [
    "A spider has eight legs. Insects have 6.",
    SPIDER,
    "contains",
    true,
    "A spider has eight legs. Insects have 6",
  ],
  ["8.0", SPIDER, "math", true, "8.0"],
  ["eight", SPIDER, "math", true, "eight"],
  ["", SPIDER, "contains", false, null],
  ["", SPIDER, "math", false, null],
] as const)("%j to %o by %s", (text, question, rule, is_correct, extracted_answer) => {
  expect(gradeAnswer(text, question, rule)).toEqual({ is_correct, correctness: rule, extracted_answer });
});

it("leaves an answer ungraded for a judge or the user, found as what the reference answer is", () => {
  const text = "It is easy. 3 + 5 = 8";
  expect(leaveUngraded(text, SPIDER, "judge")).toEqual({
    is_correct: null,
    correctness: "judge",
    extracted_answer: "8",
  });
  expect(leaveUngraded(text, PARIS, "labels").extracted_answer).toBe(text);
});

it("grades a set by what most of its answers are", () => {
  const of = (...answers: string[]): string => chooseCorrectness(answers.map((answer) => ({ answer })));
  expect(of("1", "2/3", "Paris")).toBe("math");
  expect(of("1", "Paris")).toBe("math");
  expect(of("1", "Paris", "Rome")).toBe("contains");
});
