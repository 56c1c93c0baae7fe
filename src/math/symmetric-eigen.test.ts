import { expect, test } from "vitest";
import golden from "../../test/golden/spectral-groups.json" with { type: "json" };
import { symmetricEigen } from "./symmetric-eigen.ts";

/** Rounding of some hundred float64 operations on numbers of order 1. */
const ROUNDING = 1e-12;

const inner = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

test.each(golden.eigen.map(({ matrix, values }, i) => [i, matrix, values] as const))(
  "numpy's eigenvalues, case %d, and vectors that fit them",
  (_i, matrix, expected) => {
    const { values, vectors } = symmetricEigen(matrix);
    expect(values.length).toBe(expected.length);
    for (const [k, value] of values.entries())
      expect(Math.abs(value - expected[k]!)).toBeLessThanOrEqual(ROUNDING);
    for (const [k, vector] of vectors.entries()) {
      for (const [i, row] of matrix.entries())
        expect(Math.abs(inner(row, vector) - values[k]! * vector[i]!)).toBeLessThanOrEqual(ROUNDING);
      for (const [l, other] of vectors.entries())
        expect(Math.abs(inner(vector, other) - (k === l ? 1 : 0))).toBeLessThanOrEqual(ROUNDING);
    }
  },
);

test("worked by hand, the empty matrix, and what is no matrix", () => {
  const { values, vectors } = symmetricEigen([
    [2, 99], // the upper triangle is not read
    [1, 2],
  ]);
  expect(values).toEqual([expect.closeTo(1, 14), expect.closeTo(3, 14)]);
  expect(vectors[1]).toEqual([expect.closeTo(Math.SQRT1_2, 14), expect.closeTo(Math.SQRT1_2, 14)]);
  expect(symmetricEigen([])).toEqual({ values: [], vectors: [] });
  expect(() => symmetricEigen([[Number.NaN]])).toThrow(RangeError);
});
