import { readFileSync } from "node:fs";
import { Decimal } from "decimal.js";
import { expect, it, test } from "vitest";
import { type Complex, createComplexArithmetic } from "./complex-arithmetic.ts";
import { evaluate } from "./evaluate.ts";
import { parseAnswer } from "./parse-answer.ts";

/** Formula to its real and imaginary part, to 40 digits; see test/golden/generate/complex_values.py. */
const VALUES: Readonly<Record<string, readonly [string, string]>> = JSON.parse(
  readFileSync(new URL("../../../test/golden/complex-values.json", import.meta.url), "utf8"),
);

const evaluated = (formula: string, digits: number, point = 0): Complex | null => {
  const answer = parseAnswer(formula);
  if (answer.kind !== "quantity") return null;
  return evaluate(answer.expression, createComplexArithmetic({ digits, point }), { left: 1e6 });
};

test.each(Object.entries(VALUES))("%s is mpmath's value", (formula, expected) => {
  // A few of the last digits are lost in formulas of several operations, most in a sine of many turns.
  for (const [digits, tolerance] of [
    [30, "1e-24"],
    [60, "1e-38"],
  ] as const) {
    const value = evaluated(formula, digits);
    const size = expected.map((part) => new Decimal(part).abs()).reduce((a, b) => Decimal.max(a, b));
    for (const [part, want] of [
      [value?.re, expected[0]],
      [value?.im, expected[1]],
    ] as const)
      expect(part?.minus(want).abs().lte(size.times(tolerance)), `${part} of ${want}`).toBe(true);
  }
});

test.each([
  "1/0",
  "0^{-1}",
  "\\ln 0",
  "e^{10000000}",
  "10^{1000000}",
  "\\sin 10^{12}",
  "\\infty",
  "\\arcsin 2",
])("%s has no value", (formula) => {
  expect(parseAnswer(formula).kind).toBe("quantity");
  expect(evaluated(formula, 30)).toBeNull();
});

it("gives each symbol both signs over four points, and not the same to all", () => {
  const signs = ["x", "y", "z", "a", "b", "n", "theta"].map((name) =>
    [0, 1, 2, 3].map((point) => createComplexArithmetic({ point }).symbol(name)?.re.isNegative()),
  );
  for (const row of signs) expect(new Set(row).size).toBe(2);
  expect(new Set(signs.map(String)).size).toBeGreaterThan(2);
});
