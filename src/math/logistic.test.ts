import { expect, it } from "vitest";
import { fitPlattScaling, logistic } from "./logistic.ts";

it("finds the curve that made the labels' shares", () => {
  // At each value the share of label 1 is the curve's; targets drawn in by 1/5002 move it by less than a thousandth.
  const values: number[] = [];
  const labels: number[] = [];
  for (const value of [-2, -1, 0, 1, 2]) {
    const ones = Math.round(2000 * logistic(1.5 * value - 0.5));
    for (let i = 0; i < 2000; i++) {
      values.push(value);
      labels.push(i < ones ? 1 : 0);
    }
  }
  const { slope, offset } = fitPlattScaling(values, labels);
  expect(slope).toBeCloseTo(1.5, 2);
  expect(offset).toBeCloseTo(-0.5, 2);
});

it("stays finite where values separate the labels, or say nothing", () => {
  const separated = fitPlattScaling([1, 2, 3, 4], [0, 0, 1, 1]);
  expect(separated.slope).toBeGreaterThan(0);
  expect(separated.slope).toBeLessThan(10);
  const constant = fitPlattScaling([5, 5, 5, 5], [0, 0, 0, 1]);
  // (1 + 1) / (1 + 2) once and 1 / (3 + 2) three times, by their mean
  expect(logistic(5 * constant.slope + constant.offset)).toBeCloseTo((2 / 3 + 3 / 5) / 4, 9);
});

it("takes steps of the same size in any unit", () => {
  const values = [0.1, 0.4, 0.35, 0.8, 0.2, 0.6];
  const labels = [0, 1, 0, 1, 0, 0];
  const { slope, offset } = fitPlattScaling(values, labels);
  const large = fitPlattScaling(
    values.map((value) => 1e6 * value),
    labels,
  );
  expect(large.slope * 1e6).toBeCloseTo(slope, 6); // rounding at a million times the size
  expect(large.offset).toBeCloseTo(offset, 6);
  expect(() => fitPlattScaling([1, 2], [1, 1])).toThrow(/both classes/);
});
