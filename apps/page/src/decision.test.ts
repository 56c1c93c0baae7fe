import { describe, expect, it } from "vitest";
import { promiseAt, stepOf } from "./decision.ts";

const CURVE = [
  { threshold: 0.2, risk: 0.05, coverage: 0.4 },
  { threshold: 0.6, risk: 0.2, coverage: 0.9 },
];

describe("promiseAt", () => {
  it("is that of the highest score that is answered", () => {
    expect(promiseAt(CURVE, 0.1)).toMatchObject({ risk: 0, coverage: 0 });
    expect(promiseAt(CURVE, 0.2)).toMatchObject({ risk: 0.05, coverage: 0.4 });
    expect(promiseAt(CURVE, 0.59)).toMatchObject({ risk: 0.05 });
    expect(promiseAt(CURVE, 1)).toMatchObject({ coverage: 0.9 });
  });
});

describe("stepOf", () => {
  it("has five steps, the last one closed", () => {
    expect([0, 0.19, 0.2, 0.99, 1].map(stepOf)).toEqual([0, 0, 1, 4, 4]);
  });
});
