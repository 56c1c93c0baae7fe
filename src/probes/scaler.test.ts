import { describe, expect, it } from "vitest";
import { applyScaler, fitScaler } from "./scaler.ts";

describe("fitScaler", () => {
  it("learns on the given rows only and divides by n", () => {
    const features = Float32Array.of(1, 10, 3, 10, 100, 10);
    const scaler = fitScaler(features, 2, [0, 1]);
    expect([...scaler.mean]).toEqual([2, 10]);
    expect([...scaler.scale]).toEqual([1, 1]); // the second feature is constant, and left as it is
    expect(scaler.constantFeatures).toBe(1);
    expect([...applyScaler(scaler, features, [2, 0])]).toEqual([98, 0, -1, 0]);
  });

  it("calls a feature constant when only rounding of its mean varies, as scikit-learn does", () => {
    // The mean of these equal numbers is off by one bit, which leaves a variance of about 1e-34.
    const scaler = fitScaler(
      new Float64Array(10).fill(0.1),
      1,
      Array.from({ length: 10 }, (_, i) => i),
    );
    expect(scaler.constantFeatures).toBe(1);
    const varying = fitScaler(Float64Array.of(1, 1 + 1e-9), 1, [0, 1]);
    expect(varying.constantFeatures).toBe(0);
  });
});
