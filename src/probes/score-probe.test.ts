import { describe, expect, it } from "vitest";
import { makeProbe } from "../../test/fakes/make-probe.ts";
import { assessRisk } from "./assess-risk.ts";
import {
  assertStates,
  assertThinkEntropies,
  type ProbeInput,
  requireProbeFits,
  type StatesPlace,
  scoreProbe,
} from "./score-probe.ts";

const probe = makeProbe();
const PLACE: StatesPlace = { position: "think-end", layer: 2, width: 2, normState: "residual" };

describe("scoreProbe", () => {
  it("is the logistic of the standardised features", () => {
    // ((3 - 1) / 2) * 0.25 + ((1 - 2) / 0.5) * -1.5 - 0.5 = 2.75; at the mean only the intercept is left
    const [first, second] = scoreProbe(probe, assertStates(Float32Array.of(3, 1, 1, 2), PLACE));
    expect(first).toBeCloseTo(1 / (1 + Math.exp(-2.75)), 15);
    expect(second).toBeCloseTo(1 / (1 + Math.exp(0.5)), 15);
  });

  it("reads entropies where that is what the probe reads", () => {
    const one = {
      width: 1,
      mean: Float32Array.of(0),
      scale: Float32Array.of(1),
      coefficients: Float32Array.of(1),
    };
    const baseline = makeProbe({ ...one, features: "mean-think-entropy", position: null, layer: null });
    expect(scoreProbe(baseline, assertThinkEntropies([0.5]))[0]).toBe(0.5);
    expect(() => scoreProbe(baseline, assertStates([0.5], { ...PLACE, width: 1 }))).toThrow(
      /reads mean token entropies of the reasoning, got hidden states/,
    );
    expect(() => scoreProbe(probe, assertThinkEntropies([1, 2]))).toThrow(
      /reads hidden states, got mean token/,
    );
  });

  it.each<[string, Partial<StatesPlace>, RegExp]>([
    [
      "position",
      { position: "before-generation" },
      /position "think-end", but these states are from "before-gen/,
    ],
    ["layer", { layer: 1 }, /layer 2, but these states are from layer 1/],
    ["number of layers", { layerCount: 2, width: 1 }, /width 2, but these have 1/],
    ["side of the final norm", { normState: "final-norm" }, /norm_state "residual".*"final-norm"/],
    ["model", { source: { model: "other" } }, /model "m".*"other"/],
  ])("refuses states of another %s", (_what, change, message) => {
    const states = assertStates([3, 1], { ...PLACE, ...change });
    for (const score of [scoreProbe, assessRisk])
      expect(() => score(probe, states)).toThrow(
        expect.objectContaining({ code: "probe-mismatch", message: expect.stringMatching(message) }),
      );
  });

  it("refuses bare numbers, and states that do not say which side of the final norm they are of", () => {
    for (const bare of [Float32Array.of(3, 1), [3, 1], {}]) {
      for (const score of [scoreProbe, assessRisk])
        expect(() => score(probe, bare as unknown as ProbeInput)).toThrow(
          expect.objectContaining({
            code: "probe-mismatch",
            message: expect.stringContaining("assertStates"),
          }),
        );
    }
    const states = assertStates([3, 1], PLACE);
    expect(() => scoreProbe(probe, { ...states, source: { model: "m" } })).toThrow(
      /before or after the final norm/,
    );
  });

  it("refuses a window that is not the probe's", () => {
    const window = makeProbe({ layer_count: 2, width: 2 });
    const wide = assertStates([3, 1], { ...PLACE, layerCount: 2, width: 1 });
    expect(scoreProbe(window, wide)).toHaveLength(1);
    expect(() => scoreProbe(window, assertStates([3, 1], { ...PLACE, width: 1 }))).toThrow(
      /reads 2 concatenated layers, these states have 1/,
    );
  });
});

it("assertStates takes whole rows only", () => {
  expect(() => assertStates([1, 2, 3], PLACE)).toThrow(/3 numbers, expected whole rows of 1 × 2/);
  expect(() => assertStates([], { ...PLACE, width: 0 })).toThrow(/whole rows/);
  expect(assertStates([1, 2, 3, 4], { ...PLACE, layerCount: 2 }).source).toEqual({ norm_state: "residual" });
});

it("requireProbeFits names what differs, as far as it is known", () => {
  const fits = { width: 2, source: { model: "m", norm_state: "residual" } };
  expect(() => requireProbeFits(probe, fits)).not.toThrow();
  expect(() => requireProbeFits(probe, { ...fits, width: 3 })).toThrow(/width 2, but these have 3/);
  expect(() => requireProbeFits(probe, { ...fits, source: { model: "other" } })).toThrow(/"m".*"other"/);
  expect(() => requireProbeFits(probe, { ...fits, source: { norm_state: "final" } })).toThrow(/norm_state/);
  const hashed = { ...probe, source: { model: "m", weights_sha256: "1" } };
  const renamed = { model: "copy of m", weights_sha256: "1" };
  expect(() => requireProbeFits(hashed, { ...fits, source: renamed })).not.toThrow();
  const retrained = { model: "m", weights_sha256: "2" };
  expect(() => requireProbeFits(hashed, { ...fits, source: retrained })).toThrow(/weights_sha256 "1".*"2"/);
  const worded = { ...probe, source: { tokenizer_sha256: "1" } };
  expect(() => requireProbeFits(worded, { ...fits, source: { tokenizer_sha256: "2" } })).toThrow(
    /tokenizer_sha256 "1".*"2"/,
  );
  expect(() => requireProbeFits(probe, { ...fits, position: "think-end", layer: 2 })).not.toThrow();
  expect(() => requireProbeFits(probe, { ...fits, position: "last-token" })).toThrow(
    /position "think-end".*"last-token"/,
  );
  expect(() => requireProbeFits(probe, { ...fits, layer: 3 })).toThrow(/layer 2.*layer 3/);
});
