import fc from "fast-check";
import { expect, test } from "vitest";
import { type AnswerRule, extractAnswer, extractOpenAnswer } from "./extract-answer.ts";

test.each<[text: string, answer: string, rule: AnswerRule]>([
  ["The answer is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}", "boxed"],
  ["\\boxed{1} no, \\boxed{ 2 }", "2", "boxed"],
  ["first \\boxed{7}, then cut off: \\boxed{1 + \\frac{1", "7", "boxed"],
  ["stray { before \\boxed{7}", "7", "boxed"],
  ["\\boxed{\\{1, 2\\}}", "\\{1, 2\\}", "boxed"],
  ["not \\fbox{3} but \\boxed {4}", "4", "boxed"],
  ["\\boxed{x = 1} or \\boxed{x = 2}.", "x = 1, x = 2", "boxed"],
  ["$\\boxed{1}$, $\\boxed{2}$, and $\\boxed{3}$", "1, 2, 3", "boxed"],
  ["$\\boxed{5}$ and so, again, $\\boxed{5}$", "5", "boxed"],
  ["\\boxed{5} and \\boxed{5}", "5", "boxed"],
  ["\\boxed{\\boxed{5}}", "5", "boxed"],
  ["\\boxed{x = \\fbox{5}}", "x = \\fbox{5}", "boxed"],
  ["\\boxed 5", "5", "boxed"],
  ["so \\boxed -3/4.", "-3/4", "boxed"],
  ["\\boxed{1} no, \\boxed 1,234.", "1,234", "boxed"],
  ["a \\boxed x", "x", "boxed"],
  ["\\boxed{\\text{no solution}}", "\\text{no solution}", "boxed"],
  ["Answer: 5\nbut \\boxed{6}\nAnswer: 7", "6", "boxed"],
  ["Step 1: 2 + 2\nAnswer: 4.", "4", "answer-marker"],
  ["**Answer:** **12**", "12", "answer-marker"],
  ["Final answer:\n\n  x = 7\nthat is all", "x = 7", "answer-marker"],
  ["The answer is 42. I checked 3 times.", "42", "answer-marker"],
  ["Answer: 3.5", "3.5", "answer-marker"],
  ["answer: $18$", "18", "answer-marker"],
  ["The final answer is $\\frac{1}{2}$. I hope it is correct.", "\\frac{1}{2}", "answer-marker"],
  ["Answer: x=1 or x=2", "x=1 or x=2", "answer-marker"],
  ["The answers are $x = 1$ and $x = 2$.", "$x = 1$ and $x = 2$", "answer-marker"],
  ["### Final Answer\n\n\\[ 7 \\]", "7", "answer-marker"],
  ["**Final Answer**\n12", "12", "answer-marker"],
  ["The answer is therefore 18 apples, as we saw.", "18", "answer-marker"],
  ["The answer is then clearly $\\sqrt{2}$, since 2 is not a square.", "\\sqrt{2}", "answer-marker"],
  ["Answer: Catch-22", "Catch-22", "answer-marker"],
  ["Answer: 5\nAnswer:\n", "5", "answer-marker"],
  ["She has 16 - 3 = 13.\n#### 1,013", "1,013", "hash"],
  ["#### -7", "-7", "hash"],
  ["#### Step 1\nthen 5", "5", "last-number"],
  ["Dividing by 4, we get $x = \\frac{1}{2}$.", "x = \\frac{1}{2}", "last-formula"],
  ["Hence \\[ 2\\pi \\]", "2\\pi", "last-formula"],
  ["It is $\\pi$.", "\\pi", "last-formula"],
  ["With $x$ apples there are 3.", "3", "last-number"],
  ["So $x = 3$, which leaves 4.", "4", "last-number"],
  ["There are 5 values of $x$.", "5", "last-number"],
  ["It costs $5 and not $6", "6", "last-number"],
  ["We find x = 1 or x = 2.", "x = 1 or x = 2", "last-number"],
  ["So n = 1, 2, or 4", "n = 1, 2, or 4", "last-number"],
  ["x = 1 and y = 2", "2", "last-number"],
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
  const hostile = [
    "\\boxed{",
    "\\boxed{1},",
    "\\boxed 1",
    "answer is ",
    "answer: x y ",
    "\\[",
    "$x$",
    "x = 1, ",
    "answer is",
    "answer:\n",
    "1,111",
    "####",
    " ",
    "1",
    ".",
    "{",
    "$",
  ];
  const startedAt = performance.now();
  for (const piece of hostile) extractAnswer(piece.repeat(30_000));
  // About 0.1 s; quadratic time would be minutes. A wide margin, as this is the only clock in the tests.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test("5,000 random texts: no error, and nothing that is not in the text", () => {
  const pieces = fc.constantFrom(
    ..."\\boxed{ \\fbox{ } { \\boxed \\text{and} and or , . $ $$ \\( \\) \\[ \\] Answer: answer is are #### ** \\ x = 1 2,345 -3 1/2 5% \n".split(
      " ",
    ),
    " ",
    "\n",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join("")),
  );
  const plain = (from: string): string => from.replaceAll("**", "");
  fc.assert(
    fc.property(text, (from) => {
      const found = extractAnswer(from);
      if (found === null) {
        expect(from.replace(/[\s*.$]/g, "")).toBe("");
        return;
      }
      // Several boxes are joined by commas, with the text in between left out.
      const parts = found.rule === "boxed" ? found.answer.split(/, /) : [found.answer];
      for (const part of parts) expect(plain(from)).toContain(plain(part).trim());
    }),
    { seed: 1, numRuns: 5000 },
  );
});

test.each<[text: string, answer: string, rule: AnswerRule]>([
  ["Paris", "Paris", "whole-text"],
  ['"**Paris**."', "Paris", "whole-text"],
  // all sentences of a short answer
  [
    "The capital of France is Paris. It lies on the Seine.",
    "The capital of France is Paris. It lies on the Seine",
    "whole-text",
  ],
  ["It is easy to say.\n\nIt is **Paris**.", "It is easy to say. It is Paris", "whole-text"],
  ["## Paris\nmore", "Paris more", "whole-text"],
  ["- red\n- blue", "- red - blue", "whole-text"],
  // a base model asks itself the next question
  [" Paris.\nQuestion: What is next?", "Paris", "whole-text"],
  ["Paris.\n\nQ: What is next?\nA: Rome", "Paris", "whole-text"],
  ["Paris. It is old.\n**Question 2:** And Italy?\nAnswer: Rome", "Paris. It is old", "whole-text"],
  ["\nQuestion: What is it?\nAnswer: Paris", "Paris", "answer-marker"],
  ["Any question: ask. Q: no.", "Any question: ask. Q: no", "whole-text"],
  // an answer that is marked as one
  ["Answer: Paris", "Paris", "answer-marker"],
  ["**Answer:** Paris. It lies on the Seine.", "Paris. It lies on the Seine", "answer-marker"],
  ["The answer is Paris.\nIt is old.", "Paris. It is old", "answer-marker"],
  ["Let me think. The correct answer is: Paris.", "Paris", "answer-marker"],
  ["Let me think. The answer is St. Petersburg. It is in Russia.", "St. Petersburg", "answer-marker"],
  ["Hm. The answer is J. K. Rowling. She is British.", "J. K. Rowling", "answer-marker"],
  ["I wonder.\nFinal answer: Paris\nAnswer: Rome", "Paris", "answer-marker"],
  ["Hm: \\boxed{Lyon}, no, \\boxed{\\text{Paris}}.", "Paris", "boxed"],
  ["\\boxed{Paris}\nQuestion: and Italy?\n\\boxed{Rome}", "Paris", "boxed"],
  ["To answer is hard. Paris.", "To answer is hard. Paris", "whole-text"],
])("%j", (text, answer, rule) => {
  expect(extractOpenAnswer(text)).toEqual({ answer, rule });
});

test.each(["", " \n\t ", "\\boxed{}\n", "."])("%j has no answer, or only its own text", (text) => {
  const found = extractOpenAnswer(text);
  if (!text.includes("boxed")) expect(found).toBeNull();
  else expect(found?.rule).toBe("whole-text");
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
    "\nq",
    "\n\t#* ",
  ];
  const startedAt = performance.now();
  for (const piece of hostile) extractOpenAnswer(piece.repeat(30_000));
  // About 0.2 s; quadratic time would be minutes. A wide margin, as this is the only clock in the tests.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
