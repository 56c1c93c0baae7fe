import fc from "fast-check";
import { expect, it } from "vitest";
import { isotonicRegression } from "./isotonic-regression.ts";

it("never falls, keeps the mean, and is at least as close as any other function that never falls", () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 1 })), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(
      rows,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 10, maxLength: 10 }),
      (pairs, other) => {
        const x = pairs.map(([at]) => at);
        const y = pairs.map(([, label]) => label);
        const fit = isotonicRegression(x, y);
        expect(fit.y).toEqual([...fit.y].sort((a, b) => a - b));
        expect(new Set(fit.x).size).toBe(fit.x.length);
        const fitted = x.map((at) => valueAt(fit, at));
        const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
        expect(sum(fitted)).toBeCloseTo(sum(y), 9); // sums of up to thirty terms
        const cost = (values: readonly number[]): number =>
          sum(values.map((value, i) => (value - y[i]!) ** 2));
        const rising = other.toSorted((a, b) => a - b);
        expect(cost(fitted)).toBeLessThanOrEqual(cost(x.map((at) => rising[at]!)) + 1e-9);
      },
    ),
  );
  expect(() => isotonicRegression([], [])).toThrow(/0 x/);
});

/** The level of the stretch that `at` lies in; every fitted x lies in one. */
function valueAt(
  { x, y }: { readonly x: readonly number[]; readonly y: readonly number[] },
  at: number,
): number {
  const exact = x.indexOf(at);
  return exact >= 0 ? y[exact]! : y[x.findIndex((end) => end > at)]!;
}
