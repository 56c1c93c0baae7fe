import fc from "fast-check";
import { expect, test } from "vitest";
import { mathEquivalent } from "./math-equivalent.ts";

const equal: readonly (readonly [string, string])[] = [
  ["1/2", "0.5"],
  ["\\frac12", "\\dfrac{1}{2}"],
  ["\\frac{-1}{2}", "-\\frac{1}{2}"],
  ["1\\frac{1}{2}", "1.5"],
  ["1 1/2", "3/2"],
  ["-1 1/2", "-1.5"],
  ["½", "0.5"],
  ["1½", "3/2"],
  ["1,234,567", "1234567"],
  ["1{,}234", "1234"],
  ["1,234.50", "1234.5"],
  ["$18", "18"],
  ["\\$18.00", "18"],
  ["€5", "5"],
  ["50\\%", "0.5"],
  ["50%", "50"],
  ["50 percent", "50%"],
  ["12 apples", "12"],
  ["12 apples", "12 apple"],
  ["5 dollars", "$5"],
  ["12\\text{ cm}", "12"],
  ["12\\,\\mathrm{cm}", "12 cm"],
  ["12cm", "12 cm"],
  ["3 cm^2", "3 \\text{ cm}^{2}"],
  ["90^\\circ", "90°"],
  ["x = 3", "3"],
  ["f(x)=2x", "2x"],
  ["−5", "-5"],
  ["+3", "3"],
  ["3.", "3"],
  ["007", "7"],
  ["0.3333", "1/3"],
  ["2\\times10^{3}", "2000"],
  ["6.02 \\cdot 10^{23}", "6.02e23"],
  ["12 million", "12,000,000"],
  ["\\left( 1, 2 \\right)", "(1,2)"],
  ["x^2+1", "x^{2} + 1"],
  ["x²", "x^2"],
  ["\\(3\\)", "$3$"],
  ["\\boxed{3}", "3"],
  ["\\text{Evelyn}", "evelyn"],
  ["\\frac{x+1}{2}", "\\tfrac{x + 1}{2}"],
  ["x \\le 3", "x ≤ 3"],
];

const different: readonly (readonly [string, string])[] = [
  ["11/2", "1 1/2"],
  ["1\\frac{1}{2}", "11/2"],
  ["12345", "12346"],
  ["90071992547409931", "90071992547409932"],
  ["0.00001", "0.00002"],
  ["0.33", "1/3"],
  ["-5", "5"],
  ["3x", "3"],
  ["3 x", "3"],
  ["2 pi", "2"],
  ["5 km", "5 m"],
  ["12 million", "12"],
  ["10²", "102"],
  ["(1,234)", "1234"],
  ["1/0", "0"],
  ["50%", "0.05"],
  ["3 4", "34"],
  ["3 or 4", "3"],
  ["", "0"],
  ["$", "0"],
  ["paris", "london"],
  ["x = 3", "y"],
  ["{1,2}", "(1,2)"],
  ["5 constructor", "5 tostring"],
];

test.each(equal)("%j equals %j", (a, b) => {
  expect([mathEquivalent(a, b), mathEquivalent(b, a)]).toEqual([true, true]);
});

test.each(different)("%j differs from %j", (a, b) => {
  expect([mathEquivalent(a, b), mathEquivalent(b, a)]).toEqual([false, false]);
});

test("whole numbers are equal exactly if they are the same, however they are written", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.integer({ min: -2, max: 2 }), (n, offset) => {
      const grouped = n.toLocaleString("en-US");
      expect(mathEquivalent(`$${grouped}$`, String(n + offset))).toBe(offset === 0);
    }),
    { seed: 1 },
  );
});

test("any text equals itself, and order does not matter", () => {
  const text = fc.oneof(fc.string(), fc.constantFrom(...equal.flat(), ...different.flat()));
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(mathEquivalent(a, a)).toBe(true);
      expect(mathEquivalent(a, b)).toBe(mathEquivalent(b, a));
    }),
    { seed: 1 },
  );
});

test("hostile texts take bounded time", () => {
  const pieces = ["{", "\\frac", "\\frac{", "1,", "e e ", " ", "1 e", "(", "^", "$", "a b", "10^"];
  const startedAt = performance.now();
  for (const piece of pieces)
    for (const count of [300, 100_000]) mathEquivalent(`1${piece.repeat(count)}`, `2${piece.repeat(count)}`);
  // Some milliseconds; a wide margin, as an exponential pattern would take hours.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
