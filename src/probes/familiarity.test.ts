import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectAllClose } from "../../test/expect-all-close.ts";
import { hashed } from "../../test/fakes/hashed.ts";
import { makeProbe } from "../../test/fakes/make-probe.ts";
import { assessRisk } from "./assess-risk.ts";
import { fitFamiliarity, measureFamiliarity } from "./familiarity.ts";
import type { Familiarity, Probe } from "./probe.ts";
import { assertStates, assertThinkEntropies, type PlacedStates } from "./score-probe.ts";

interface Case {
  readonly n: number;
  readonly m: number;
  readonly d: number;
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  readonly shrinkage: number;
  readonly covariance_diagonal: readonly number[];
  readonly residual_variance: number;
  readonly validation_distances: readonly number[];
  readonly distances: readonly number[];
  readonly p_values: readonly number[];
}
const { cases } = JSON.parse(
  readFileSync(new URL("../../test/golden/familiarity.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

/** As the generator's: sums of a few hidden factors, and noise. */
const makeStates = (n: number, d: number, seed: number): Float32Array =>
  Float32Array.from({ length: n * d }, (_, at) => {
    const [i, j] = [Math.floor(at / d), at % d];
    const factors = Array.from(
      { length: 8 },
      (_, f) => ((hashed(1000 * seed + i, 100 + f) - 0.5) * (hashed(f, 200 + j) - 0.5) * 8) / (1 + f),
    );
    return factors.reduce((sum, each) => sum + each, 0) + 0.3 * (hashed(1000 * seed + i, 300 + j) - 0.5) + j;
  });

const place = (values: ArrayLike<number>, width: number): PlacedStates =>
  assertStates(values, { position: "think-end", layer: 2, width, normState: "residual" });

function fitted({ n, m, d, mean, scale }: Case): Probe & { readonly familiarity: Familiarity } {
  const probe = makeProbe({
    width: d,
    mean: Float32Array.from(mean),
    scale: Float32Array.from(scale),
    coefficients: new Float32Array(d),
    intercept: 0,
  });
  const { familiarity } = fitFamiliarity(probe, {
    training: makeStates(n, d, 1),
    validation: makeStates(m, d, 2),
  });
  return { ...probe, familiarity: familiarity as Familiarity };
}

describe.each(cases)("against scikit-learn's PCA and LedoitWolf, $n states of width $d", (golden) => {
  const probe = fitted(golden);
  const { familiarity } = probe;

  it("has the same covariance", () => {
    // directions of close variances are left a little mixed by the randomised iteration
    expect(Math.abs(familiarity.shrinkage - golden.shrinkage)).toBeLessThan(1e-5);
    expectAllClose(familiarity.variances, golden.covariance_diagonal, 1e-5 * golden.covariance_diagonal[0]!);
    expect(familiarity.residual_variance / golden.residual_variance).toBeCloseTo(1, 4);
  });

  it("measures the same distances and p-values", () => {
    const tolerance = 5e-3; // six turns leave the last directions a little mixed with the next; distances are 4 to 30
    expectAllClose(familiarity.distances, golden.validation_distances, tolerance);
    const factors = [0.8, 1, 1.1, 1.3, 2];
    const others = makeStates(5, golden.d, 3).map((value, at) => {
      const middle = at % golden.d;
      return middle + factors[Math.floor(at / golden.d)]! * (value - middle);
    });
    const found = measureFamiliarity(probe, place(others, golden.d)).map((each) => each!);
    expectAllClose(
      found.map(({ distance }) => distance),
      golden.distances,
      tolerance,
    );
    expect(found.map(({ p_value }) => p_value)).toEqual(golden.p_values);
  });
});

describe("measureFamiliarity", () => {
  const probe = fitted(cases[0] as Case);
  const d = probe.width;
  const validation = makeStates(25, d, 2);

  it("finds a validation question as far out as its rank among them", () => {
    const found = measureFamiliarity(probe, place(validation, d)).map((each) => each!.p_value);
    expect([...found].sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, i) => (i + 2) / 26));
  });

  it("goes up with the way out of the training states, and stays a p-value", () => {
    fc.assert(
      fc.property(fc.nat(24), fc.double({ min: 1, max: 50, noNaN: true }), (row, factor) => {
        const own = validation.slice(row * d, (row + 1) * d);
        const out = own.map((value, j) => probe.mean[j]! + factor * (value - probe.mean[j]!));
        const [near, far] = measureFamiliarity(probe, place([...own, ...out], d)).map((each) => each!);
        expect(far!.distance).toBeGreaterThan(0.99 * near!.distance); // the centre is not quite the scaler's mean
        expect(far!.p_value).toBeGreaterThanOrEqual(1 / 26);
        expect(far!.p_value).toBeLessThanOrEqual(1);
        expect(far!.is_unfamiliar).toBe(far!.p_value <= 0.05);
      }),
    );
  });

  it("knows nothing of a NaN, of a probe without a record, and of entropies", () => {
    expect(measureFamiliarity(probe, place(new Float32Array(d).fill(Number.NaN), d))).toEqual([null]);
    expect(measureFamiliarity({ ...probe, familiarity: null }, place(validation, d))[0]).toBeNull();
    expect(() => measureFamiliarity(probe, assertThinkEntropies([1]))).toThrow(/reads hidden states/);
  });
});

describe("fitFamiliarity", () => {
  const { mean, scale, d } = cases[0] as Case;
  const scaler = { width: d, mean: Float32Array.from(mean), scale: Float32Array.from(scale) };
  const training = makeStates(100, d, 1);
  const validation = makeStates(25, d, 2);

  it("says why it cannot tell", () => {
    const few = { training, validation: validation.subarray(0, 18 * d) };
    expect(fitFamiliarity(scaler, few)).toEqual({
      familiarity: null,
      reason: "18 validation questions have a state, but a level of 0.05 needs at least 19",
    });
    expect(fitFamiliarity(scaler, { training: training.subarray(0, 4 * d), validation }).reason).toMatch(
      /^4 training questions/,
    );
    const same = Float32Array.from({ length: 100 * d }, (_, i) => mean[i % d]!);
    expect(fitFamiliarity(scaler, { training: same, validation }).reason).toBe(
      "all training states are the same",
    );
  });

  it("finds what leaves a plane of training states far away, and not infinitely", () => {
    const flat = { width: 3, mean: new Float32Array(3), scale: new Float32Array(3).fill(1) };
    const onPlane = (count: number, seed: number): Float32Array =>
      Float32Array.from({ length: count * 3 }, (_, at) =>
        at % 3 === 2 ? 0 : hashed(seed + Math.floor(at / 3), at % 3) - 0.5,
      );
    const { familiarity } = fitFamiliarity(flat, { training: onPlane(50, 0), validation: onPlane(30, 100) });
    expect(familiarity!.variances).toHaveLength(2);
    const probe = makeProbe({ ...flat, familiarity, coefficients: new Float32Array(3) });
    const [on, off] = measureFamiliarity(probe, place([0.1, 0.1, 0, 0.1, 0.1, 0.01], 3));
    expect(on!.is_unfamiliar).toBe(false);
    expect(off!.is_unfamiliar).toBe(true);
    expect(off!.distance).toBeLessThan(Number.POSITIVE_INFINITY);
  });
});

describe("assessRisk", () => {
  const sure = {
    kind: "risk",
    target: 0.1,
    threshold: 1,
    guarantee: "G",
    calibration_questions: 30,
  } as const;
  const probe: Probe = {
    ...fitted(cases[0] as Case),
    decisions: [{ kind: "risk", target: 0.1, threshold: sure, reason: null }],
  };
  const { width } = probe;
  const far = place(
    Float32Array.from({ length: width }, (_, j) => 9 * (j % 2)),
    width,
  );

  it("flags what is unfamiliar, and refuses it if asked to", () => {
    const [flagged] = assessRisk(probe, far);
    expect(flagged).toMatchObject({
      decision: "answer",
      abstain_reason: null,
      familiarity: { p_value: 1 / 26, is_unfamiliar: true },
    });
    const [refused] = assessRisk(probe, far, { unfamiliar: "refuse" });
    expect(refused).toMatchObject({
      decision: "abstain",
      abstain_reason: "unfamiliar",
      score: flagged!.score,
    });
    const near = place(makeStates(1, width, 2), width);
    expect(assessRisk(probe, near, { unfamiliar: "refuse" })[0]).toMatchObject({
      decision: "answer",
      abstain_reason: null,
    });
    const undecided = { ...probe, decisions: [] };
    expect(assessRisk(undecided, far)[0]!.decision).toBeNull();
    expect(assessRisk(undecided, far, { unfamiliar: "refuse" })[0]!.decision).toBe("abstain");
  });

  it("refuses nothing by a probe that cannot tell, and says so", () => {
    const message = "The accuracy probe cannot tell which questions are unfamiliar: why.";
    const blind = { ...probe, familiarity: null, warnings: [{ code: "no-familiarity", message }] };
    expect(assessRisk(blind, far)[0]!.familiarity).toBeNull();
    expect(() => assessRisk(blind, far, { unfamiliar: "refuse" })).toThrow(message);
  });
});
