import { expect, it } from "vitest";
import { leaveOutShots, renderFewShot, stopStringsOf, takeShots } from "./prompt-format.ts";

const QUESTIONS = Array.from({ length: 8 }, (_, at) => ({
  id: `q${at}`,
  question: `What is ${at} + 1?`,
  answer: String(at + 1),
}));

it("shows the first five, and asks none that it shows, however it is written or wherever it stands", () => {
  const shots = takeShots(QUESTIONS);
  expect(shots).toHaveLength(5);
  expect(leaveOutShots(QUESTIONS, shots).map(({ id }) => id)).toEqual(["q5", "q6", "q7"]);
  const respelled = [{ id: "x", question: " what is THE 2 + 1 ", answer: "3" }, ...QUESTIONS.slice(5)];
  expect(leaveOutShots(respelled, shots).map(({ id }) => id)).toEqual(["q5", "q6", "q7"]);
});

it("shows worked solutions where there are some, and stops at the next question instead of the next line", () => {
  const worked = takeShots([{ question: "1 + 1?", answer: "2", solution: "1 and 1 are 2.\n#### 2" }]);
  expect(renderFewShot(worked, { question: "2 + 2?" })).toBe(
    "Question: 1 + 1?\nAnswer: 1 and 1 are 2.\n#### 2\n\nQuestion: 2 + 2?\nAnswer:",
  );
  expect(stopStringsOf({ kind: "few-shot", shots: worked })).toEqual(["\nQuestion:"]);
  expect(stopStringsOf({ kind: "few-shot", shots: takeShots(QUESTIONS) })).toEqual(["\n"]);
});
