import fc from "fast-check";
import { expect, test } from "vitest";
import golden from "../../test/golden/symmetric-eigen.json" with { type: "json" };
import { symmetricEigen } from "./symmetric-eigen.ts";

/** Both are backward stable: errors of some n ulps of the largest eigenvalue. */
const ROUNDING = 1e-13;

test.each(golden.cases.map((each, i) => [i, each] as const))("numpy's eigenvalues, case %d", (_i, each) => {
  const { values, vectors } = symmetricEigen(each.matrix);
  const scale = Math.max(...each.values.map(Math.abs));
  expect(values).toHaveLength(each.values.length);
  for (const [k, value] of values.entries())
    expect(Math.abs(value - each.values[k]!)).toBeLessThanOrEqual(ROUNDING * scale);
  for (const [k, v] of vectors.entries()) {
    for (const [i, row] of each.matrix.entries()) {
      const image = row.reduce((sum, x, j) => sum + x * v[j]!, 0);
      expect(Math.abs(image - values[k]! * v[i]!)).toBeLessThanOrEqual(10 * ROUNDING * scale);
    }
    for (const [l, w] of vectors.entries()) {
      const product = v.reduce((sum, x, i) => sum + x * w[i]!, 0);
      expect(Math.abs(product - Number(k === l))).toBeLessThanOrEqual(ROUNDING);
    }
  }
});

test("the trace is the sum of the eigenvalues, whatever the matrix", () => {
  const entry = fc.double({ min: -1e3, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.infiniteStream(entry), (n, entries) => {
      const raw = Array.from({ length: n }, () => Array.from({ length: n }, () => entries.next().value!));
      const A = raw.map((row, i) => row.map((x, j) => x + raw[j]![i]!));
      const trace = A.reduce((sum, row, i) => sum + row[i]!, 0);
      const sum = symmetricEigen(A).values.reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - trace)).toBeLessThanOrEqual(1e-9); // values of order 1e4 times some hundred ulps
    }),
    { seed: 1, numRuns: 60 },
  );
});

test("misuse is refused", () => {
  for (const A of [
    [[1, 2]],
    [
      [1, 2],
      [2.1, 1],
    ],
    [[Number.NaN]],
    [
      [1, Infinity],
      [Infinity, 1],
    ],
  ])
    expect(() => symmetricEigen(A)).toThrow(RangeError);
  expect(symmetricEigen([]).values).toHaveLength(0);
});
