import { describe, expect, it } from "vitest";
import { measureMeanings } from "./portable-entropy.ts";

const measure = (texts: readonly string[], meanLogprobs = texts.map(() => 0)) =>
  measureMeanings({ question: "?", texts, meanLogprobs });

describe("measureMeanings", () => {
  it("compares numbers as mathematics", async () => {
    const measured = await measure(["\\boxed{1/2}", "so it is \\boxed{0.5}", "\\boxed{2}", ""]);
    expect(measured).toMatchObject({
      equivalence: "math",
      answers: ["1/2", "0.5", "2", null],
      clusterIds: [0, 0, 1, 2],
      probabilities: [0.5, 0.25, 0.25],
    });
    // -1/2 ln 1/2 - 2 * 1/4 ln 1/4
    expect(measured.semanticEntropy).toBeCloseTo(1.5 * Math.LN2, 12);
  });

  it("compares other answers by their words", async () => {
    const measured = await measure(["Paris.", "the paris", "London"]);
    expect(measured).toMatchObject({ equivalence: "exact", clusterIds: [0, 0, 1] });
  });

  it("weighs meanings by their samples' likelihood, and counts them for the discrete entropy", async () => {
    const measured = await measure(["1", "2"], [Math.log(0.6), Math.log(0.2)]);
    expect(measured.probabilities[0]).toBeCloseTo(0.75, 12);
    expect(measured.discreteSemanticEntropy).toBeCloseTo(Math.LN2, 12);
    expect(measured.semanticEntropy).toBeLessThan(Math.LN2);
  });
});
