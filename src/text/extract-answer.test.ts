import fc from "fast-check";
import { expect, test } from "vitest";
import { type AnswerRule, extractAnswer } from "./extract-answer.ts";

test.each<[text: string, answer: string, rule: AnswerRule]>([
  ["The answer is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}", "boxed"],
  ["\\boxed{1} no, \\boxed{ 2 }", "2", "boxed"],
  ["first \\boxed{7}, then cut off: \\boxed{1 + \\frac{1", "7", "boxed"],
  ["stray { before \\boxed{7}", "7", "boxed"],
  ["\\boxed{\\{1, 2\\}}", "\\{1, 2\\}", "boxed"],
  ["\\fbox{3} and \\boxed {4}", "4", "boxed"],
  ["Answer: 5\nbut \\boxed{6}\nAnswer: 7", "6", "boxed"],
  ["Step 1: 2 + 2\nAnswer: 4.", "4", "answer-marker"],
  ["**Answer:** **12**", "12", "answer-marker"],
  ["Final answer:\n\n  x = 7\nthat is all", "x = 7", "answer-marker"],
  ["The answer is 42. I checked 3 times.", "42", "answer-marker"],
  ["Answer: 3.5", "3.5", "answer-marker"],
  ["answer: $18$", "18", "answer-marker"],
  ["She has 16 - 3 = 13.\n#### 1,013", "1,013", "hash"],
  ["#### -7", "-7", "hash"],
  ["#### Step 1\nthen 5", "5", "last-number"],
  ["There are 3 boxes, so -12 in all", "-12", "last-number"],
  ["from 20-5 it is 15%", "15%", "last-number"],
  ["1,234,567 apples", "1,234,567", "last-number"],
  ["about .5 or 3/4 of it", "3/4", "last-number"],
  ["I think\n\n  it is **Paris**.  \n\n", "it is Paris", "last-line"],
  ["\\boxed{}\nnothing", "nothing", "last-line"],
])("%j", (text, answer, rule) => {
  expect(extractAnswer(text)).toEqual({ answer, rule });
});

test.each(["", " \n\t ", "\\boxed{}"])("%j has no answer or only its own text", (text) => {
  const found = extractAnswer(text);
  if (text.trim() === "") expect(found).toBeNull();
  else expect(found?.rule).toBe("last-line");
});

test("whatever stands in a balanced box is found, whatever stands before it", () => {
  const content = fc.stringMatching(/^[a-z0-9 +*/=.,-]*[a-z0-9]$/).map((text) => text.trim());
  const nested = fc.tuple(content, content).map(([a, b]) => `\\frac{${a}}{${b}}`);
  fc.assert(
    fc.property(fc.string(), fc.oneof(content, nested), (before, answer) => {
      // A backslash at the end would escape the box itself.
      const found = extractAnswer(`${before.replaceAll("\\", "")}\\boxed{${answer}} so`);
      expect(found).toEqual({ answer, rule: "boxed" });
    }),
    { seed: 1 },
  );
});

test("hostile texts take linear time", () => {
  const hostile = ["\\boxed{", "answer is", "answer:\n", "1,111", "####", " ", "1", ".", "{", "$"];
  const startedAt = performance.now();
  for (const piece of hostile) extractAnswer(piece.repeat(30_000));
  // About 0.1 s; quadratic time would be minutes. A wide margin, as this is the only clock in the tests.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
