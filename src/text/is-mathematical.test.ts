import { expect, test } from "vitest";
import { isMathematical } from "./is-mathematical.ts";

test.each([
  "18",
  "-5",
  "1,234",
  "3.5",
  "1/2",
  "50%",
  "$18",
  "8 legs",
  "1e-5",
  "\\frac{1}{2}",
  "x = 3",
  "x^2 + 1",
  "2x + 5",
  "(1, 2)",
  "[0, 1)",
  "\\sqrt{2}",
  "2\\pi",
  "3 \\times 10^8",
])("%j is", (answer) => {
  expect(isMathematical(answer)).toBe(true);
});

test.each([
  "Paris",
  "New York",
  "Au",
  "H2O",
  "L",
  "Romeo and Juliet",
  "carbon-14",
  "AC/DC",
  "4 July 1776",
  "(the) Thames",
  "C++",
  "Catch-22",
  "",
  "and/or",
])("%j is not", (answer) => {
  expect(isMathematical(answer)).toBe(false);
});
