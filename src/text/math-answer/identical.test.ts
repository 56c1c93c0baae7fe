import fc from "fast-check";
import { expect, it, test } from "vitest";
import type { Expression } from "./expression.ts";
import { identical } from "./identical.ts";
import { parseAnswer } from "./parse-answer.ts";

const read = (formula: string): Expression => {
  const answer = parseAnswer(formula);
  if (answer.kind !== "quantity") throw new Error(`${formula} is no formula`);
  return answer.expression;
};
const verdict = (a: string, b: string, work = 1e6): boolean | null =>
  identical(read(a), read(b), { left: work });

test.each<[string, string, boolean | null]>([
  // fractions, exactly
  ["10^{400}+1", "10^{400}", false],
  ["(2/3)^{200}", "(4/9)^{100}", true],
  ["8^{1/3}", "2", true],
  ["500!", "500 \\cdot 499!", true],
  // modulo a prime, whatever the size of the powers
  ["2^{1000000}", "4^{500000}", true],
  ["2^{1000000}+1", "4^{500000}", false],
  ["(x+1)^{5000}", "(1+x)^{5000}", true],
  ["(x+1)^{5000}+1", "(1+x)^{5000}", false],
  ["(x-y)(x^2+xy+y^2)", "x^3-y^3", true],
  ["\\frac{1}{x}-\\frac{1}{x+1}", "\\frac{1}{x^2+x}", true],
  ["(\\pi+e)^2", "\\pi^2+2e\\pi+e^2", true],
  ["(x+i)(x-i)", "x^2+1", true],
  ["x^{-3}", "\\frac{1}{x^3}", true],
  // in digits
  ["\\sqrt{5+2\\sqrt{6}}", "\\sqrt{2}+\\sqrt{3}", true],
  ["\\sqrt[3]{2+\\sqrt{5}}+\\sqrt[3]{2-\\sqrt{5}}", "1", true],
  ["4\\arctan\\frac{1}{5}-\\arctan\\frac{1}{239}", "\\frac{\\pi}{4}", true],
  ["10^{20}+\\sqrt{2}-10^{20}", "\\sqrt{2}", true], // loses 20 of the digits
  ["e^{\\pi\\sqrt{163}}", "262537412640768744", false], // agree to 30 digits
  ["\\sqrt{10^{20}+1}", "10^{10}", false], // agree to 20
  ["10^{-40}\\pi", "2\\cdot 10^{-40}\\pi", false],
  ["\\sqrt{x^2}", "x", false],
  ["\\sqrt{x^2}", "|x|", true],
  ["\\sin(x+y)", "\\sin x\\cos y+\\cos x\\sin y", true],
  ["\\sin(x+y)", "\\sin x\\cos y-\\cos x\\sin y", false],
  ["2^{x+y}", "2^x 2^y".replace(" ", "\\cdot "), true],
  ["\\ln(x^2)", "2\\ln|x|", true],
  ["\\log_x y", "\\frac{\\ln y}{\\ln x}", true],
  // what has no value
  ["\\frac{1}{0}", "\\frac{2}{0}", null],
  ["f(2)", "f(3)", null],
  ["\\infty", "\\infty+1", null],
  ["9^{9^{9^{9}}}", "9^{9^{9^{9}}}+1", null],
  ["501!", "501!+1", null],
])("%s and %s: %s", (a, b, expected) => {
  expect([verdict(a, b), verdict(b, a)]).toEqual([expected, expected]);
});

it("decides nothing without work to spend", () => {
  expect(verdict("\\sqrt{5+2\\sqrt{6}}", "\\sqrt{2}+\\sqrt{3}", 1000)).toBeNull();
  expect(verdict("x^2", "x\\cdot x", 3)).toBeNull();
});

it("tells polynomials with one coefficient changed apart, and not those in another order", () => {
  const coefficients = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 8 });
  const write = (of: readonly (readonly [number, number])[]): string =>
    of.map(([c, power]) => `(${c})x^{${power}}`).join("+");
  fc.assert(
    fc.property(coefficients, fc.nat(), fc.integer({ min: -2, max: 2 }), (values, where, change) => {
      const terms = values.map((value, power) => [value, power] as const);
      const at = where % values.length;
      const changed = terms.map(([value, power]) => [power === at ? value + change : value, power] as const);
      expect(verdict(write(terms), write(changed.toReversed()))).toBe(change === 0);
    }),
    { seed: 1 },
  );
});
