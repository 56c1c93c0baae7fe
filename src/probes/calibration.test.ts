import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyCalibration, type CalibrationMap } from "./calibration.ts";
import { isAnswered } from "./choose-decision-threshold.ts";

const STEPS: CalibrationMap = { method: "isotonic", x: [0.2, 0.4, 0.8], y: [0.1, 0.5, 0.9] };

describe("applyCalibration", () => {
  it("leaves a probability as it is with slope 1 and offset 0", () => {
    const same: CalibrationMap = { method: "platt", slope: 1, offset: 0 };
    for (const score of [1e-6, 0.25, 0.5, 0.999])
      expect(applyCalibration(same, score)).toBeCloseTo(score, 12);
  });

  it("acts on the log odds", () => {
    // odds 3 to 1, squared: 9 to 1, then halved by the offset
    const map: CalibrationMap = { method: "platt", slope: 2, offset: -Math.log(2) };
    expect(applyCalibration(map, 0.75)).toBeCloseTo(4.5 / 5.5, 12);
  });

  it("interpolates between points and stays level outside", () => {
    expect(applyCalibration(STEPS, 0.3)).toBeCloseTo(0.3, 12);
    expect(applyCalibration(STEPS, 0.6)).toBeCloseTo(0.7, 12);
    expect(applyCalibration(STEPS, 0.4)).toBe(0.5);
    expect(applyCalibration(STEPS, 0)).toBe(0.1);
    expect(applyCalibration(STEPS, 1)).toBe(0.9);
    expect(applyCalibration({ method: "isotonic", x: [0.5], y: [0.3] }, 0.9)).toBe(0.3);
  });

  it("hands NaN through, and stays a probability that never falls with the score", () => {
    expect(applyCalibration(STEPS, Number.NaN)).toBeNaN();
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    const platt = fc.record({
      method: fc.constant("platt" as const),
      slope: fc.double({ min: 0.01, max: 20, noNaN: true }),
      offset: fc.double({ min: -20, max: 20, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.oneof(platt, fc.constant(STEPS)), unit, unit, (map, a, b) => {
        const low = applyCalibration(map, Math.min(a, b));
        const high = applyCalibration(map, Math.max(a, b));
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(high);
      }),
    );
  });
});

it("answers at the threshold itself, and never a score that is not there", () => {
  const rule = {
    kind: "coverage",
    target: 0.8,
    threshold: 0.4,
    guarantee: "",
    calibration_questions: 9,
  } as const;
  expect([0.3, 0.4, 0.41, Number.NaN].map((score) => isAnswered(rule, score))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
