import { expect, it } from "vitest";
import { findEquations, findSteps } from "./find-steps.ts";

const stepsOf = (text: string): string[] => findSteps(text).map(([start, end]) => text.slice(start, end));

it.each([
  ["lines", "\n7+5=12 c1\n4+8+1=13\n", ["7+5=12 c1", "4+8+1=13"]],
  ["blank lines", "First.\n\n \nThen so.", ["First.", "Then so."]],
  ["equations of a line", "3+4=7, then 7*2=14.\nSo 14.", ["3+4=7,", "then 7*2=14.", "So 14."]],
  ["a chain of equals signs", "1/2 = 2/4 = 0.5", ["1/2 = 2/4 = 0.5"]],
  [
    "displayed formulas and code",
    "We get\n\\[\n1+1=2\n2+2=4\n\\]\n```\na\n\nb\n```",
    ["We get", "\\[\n1+1=2\n2+2=4\n\\]", "```\na\n\nb\n```"],
  ],
  ["nothing", " \n\n", []],
])("finds the steps: %s", (_, text, steps) => {
  expect(stepsOf(text)).toEqual(steps);
});

it.each([
  ["7+5=12 c1", [["7+5", "12"]]],
  ["She pays 3 x $1.50 = $4.50 in all", [["3 * $1.50", "$4.50"]]],
  ["\\frac{1}{2} + \\frac{1}{4} = \\frac{3}{4}", [["\\frac{1}{2} + \\frac{1}{4}", "\\frac{3}{4}"]]],
  ["(3 + 4) * 2 = 14 apples", [["(3 + 4) * 2", "14"]]],
  [
    "1,000 − 1 = 999, 2**3 ÷ 4 = 2",
    [
      ["1,000 - 1", "999"],
      ["2^3 / 4", "2"],
    ],
  ],
  ["5 - 3 = -2", [["5 - 3", "-2"]]],
  ["x+2=5, 2x=6, 3+4 = 7x, a1 = 5, 12=, =4, y_1 = 2", []],
])("finds the equations of numbers in %j", (text, sides) => {
  expect(findEquations(text).map((equation) => equation.sides)).toEqual(sides);
});

it.each(["1 ", "(", "1+", "1=", "1 )( "])("reads 40,000 characters of %j", (part) => {
  const text = part.repeat(40_000 / part.length);
  expect(findSteps(text)).toEqual([[0, text.trimEnd().length]]);
});
