import fc from "fast-check";
import { expect, test } from "vitest";
import { entropy, logSumExp } from "./entropy.ts";

test("entropy of known distributions", () => {
  expect(entropy([1])).toBe(0);
  expect(entropy([1, 0])).toBe(0);
  // 15 digits: one rounding a term.
  expect(entropy([0.5, 0.5])).toBeCloseTo(Math.LN2, 15);
  expect(entropy([0.5, 0.25, 0.25])).toBeCloseTo(1.5 * Math.LN2, 15);
});

test("what is no distribution is refused", () => {
  for (const bad of [[], [0.5], [0.6, 0.6], [-0.5, 1.5], [Number.NaN]])
    expect(() => entropy(bad)).toThrow(RangeError);
});

test("logSumExp neither overflows nor underflows", () => {
  expect(logSumExp([0, 0])).toBeCloseTo(Math.LN2, 15);
  expect(logSumExp([1000, 1000])).toBeCloseTo(1000 + Math.LN2, 12); // 1000's own spacing is 1e-13
  expect(logSumExp([-1000, -1000])).toBeCloseTo(-1000 + Math.LN2, 12);
  expect(logSumExp([3, -Infinity])).toBe(3);
  expect([logSumExp([]), logSumExp([-Infinity, -Infinity])]).toEqual([-Infinity, -Infinity]);
  for (const bad of [[Number.NaN], [0, Infinity]]) expect(() => logSumExp(bad)).toThrow(RangeError);
});

test("logSumExp is shifted by what its values are shifted by", () => {
  const value = fc.double({ min: -50, max: 50, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), value, (values, shift) => {
      const shifted = logSumExp(values.map((x) => x + shift));
      // Sums of magnitude 100 round at 1e-14; some of those add up.
      expect(Math.abs(shifted - shift - logSumExp(values))).toBeLessThan(1e-12);
    }),
    { seed: 1 },
  );
});
