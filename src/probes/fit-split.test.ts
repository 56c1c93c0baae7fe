import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../test/expect-all-close.ts";
import { makeHashedRows } from "../../test/fakes/hashed-rows.ts";
import { ortNode } from "../engine/runtime/ort-node.ts";
import { readFeatures } from "../states/feature-source.ts";
import { fitFinal } from "./fit-final.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import { createSplitFitter } from "./fit-split.ts";
import type { ProbeKind } from "./probe-weights.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "./products/matrix-multiplier.ts";
import { standardiseRows } from "./scaler.ts";
import { runProbeJob, type ScoreResult } from "./sweep/probe-job.ts";

interface GoldenProbe {
  readonly kind: ProbeKind;
  readonly C: number;
  readonly class_weight: ClassWeight;
  readonly auroc: number;
  readonly scores: readonly number[];
  readonly coefficients: readonly number[];
  readonly intercept: number;
}
const { cases } = JSON.parse(
  readFileSync(new URL("../../test/golden/probes.json", import.meta.url), "utf8"),
) as {
  readonly cases: readonly {
    readonly n: number;
    readonly d: number;
    readonly positives: number;
    readonly moved_auroc: number;
    readonly probes: readonly GoldenProbe[];
  }[];
};
const FOLDS = [0, 1, 2, 3, 4];

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier(ortNode);
});
afterAll(async () => {
  await multiplier[Symbol.asyncDispose]();
});

describe.each(cases)("scikit-learn's probes, n=$n d=$d", ({ n, d, positives, moved_auroc, probes }) => {
  const rows = makeHashedRows(n, d);
  const { features, labels, foldOf } = rows;
  const named = probes.map((probe) => [`${probe.kind} C=${probe.C} ${probe.class_weight}`, probe] as const);
  const taskOf = ({ kind, C }: GoldenProbe) => ({ labels, values: kind === "ridge" ? rows.values : null, C });

  it("is made of the same rows", () => {
    expect(labels.reduce((sum, label) => sum + label, 0)).toBe(positives);
  });

  it.each(named)("%s: scores out of fold", async (_name, probe) => {
    const settings = { kind: probe.kind, classWeight: probe.class_weight, seed: 1 };
    const fitter = createSplitFitter(multiplier, features, d, foldOf, {
      ...settings,
      tolerance: 1e-4,
      shares: true,
    });
    expect(fitter.constantFeatures).toBe(1);
    const scores = new Float64Array(n);
    for (const fold of FOLDS) {
      const { held, scores: found } = await fitter.fit([fold], [taskOf(probe)]);
      held.forEach((row, i) => {
        scores[row] = found[0]![i]!;
      });
    }
    // The weights' error is bounded by 1e-4 of their norm; a score sums d of them.
    expectAllClose(scores, probe.scores, 5e-4 * scaleOf(probe.scores));
  });

  it.each(named)("%s: AUROC of a sweep", async (_name, { kind, C, class_weight: classWeight, auroc }) => {
    const source = { kind: "arrays", layers: [features], rowCount: n } as const;
    const { splits } = (await runProbeJob(
      {
        ...{ job: "score", source, pooling: null, foldOf, kind, classWeight, seed: 1 },
        outcomes: [{ labels, values: kind === "ridge" ? rows.values : null }],
        penalties: [C],
        isTried: [true],
        splits: FOLDS.map((fold) => ({ excluded: [fold], outcomes: [0] })),
        kept: [],
      },
      { multiplier, readFeatures },
    )) as ScoreResult;
    const areas = splits.map((fits) => fits[0]![0]!.areas[0]!);
    // A sweep stops at a relative error of 1e-2, which exchanges a few of some 200 to 800 pairs a fold.
    expect(Math.abs(areas.reduce((sum, area) => sum + area, 0) / 5 - auroc)).toBeLessThan(3e-3);
  });

  it.each(named)("%s: the kept probe", async (_name, probe) => {
    const [fit] = await fitFinal(multiplier, standardiseRows(features, d), [taskOf(probe)], {
      kind: probe.kind,
      classWeight: probe.class_weight,
      seed: 1,
    });
    const { coefficients, intercept, hidden } = fit!.weights;
    expect(hidden).toBeNull();
    expect(fit!.converged).toBe(true);
    expect(fit!.constantFeatures).toBe(1);
    // Standardised features are rounded to float32, and so are the coefficients that are kept.
    expectAllClose(coefficients, probe.coefficients, 1e-6 * scaleOf(probe.coefficients));
    if (probe.kind !== "mean-difference") expect(Math.abs(intercept - probe.intercept)).toBeLessThan(1e-6);
  });

  it("refits permuted labels", async () => {
    const moved = Uint8Array.from(labels, (_, i) => labels[(i + 21) % n]!);
    const source = { kind: "arrays", layers: [features], rowCount: n } as const;
    const settings = { kind: "logistic", classWeight: "none", seed: 1, C: 0.3 } as const;
    const areas = (await runProbeJob(
      { job: "permute", source, pooling: null, foldOf, folds: FOLDS, draws: [labels, moved], ...settings },
      { multiplier, readFeatures },
    )) as readonly Float64Array[];
    const known = probes.find(({ kind, C }) => kind === "logistic" && C === 0.3)!;
    const meanOf = (own: Float64Array) => own.reduce((sum, area) => sum + area, 0) / own.length;
    expect(Math.abs(meanOf(areas[0]!) - known.auroc)).toBeLessThan(3e-3); // as above
    expect(Math.abs(meanOf(areas[1]!) - moved_auroc)).toBeLessThan(3e-3);
  });
});

describe("createSplitFitter", () => {
  const { features, labels, foldOf } = makeHashedRows(60, 5);
  const settings = {
    kind: "logistic",
    classWeight: "none",
    tolerance: 1e-4,
    seed: 1,
    shares: false,
  } as const;

  it("learns nothing from the rows it leaves out", async () => {
    const task = { labels, values: null, C: 1 };
    const known = await createSplitFitter(multiplier, features, 5, foldOf, settings).fit([2, 3], [task]);
    const spoilt = features.map((value, i) => (foldOf[Math.floor(i / 5)] === 2 ? value + 100 : value));
    const turned = labels.map((label, row) => (foldOf[row] === 2 ? 1 - label : label));
    const fitter = createSplitFitter(multiplier, spoilt, 5, foldOf, settings);
    const { held, scores } = await fitter.fit([2, 3], [{ ...task, labels: turned }]);
    expect([...held]).toEqual([...known.held]);
    const inThree = Array.from(held.keys()).filter((place) => foldOf[held[place]!] === 3);
    expect(inThree.length).toBe(12);
    for (const place of inThree) expect(scores[0]![place]).toBe(known.scores[0]![place]);
  });

  it("scores what it fits from one K of all rows as what it fits from a K of its own", async () => {
    const many = makeHashedRows(1050, 600); // enough for eight bits
    const tasks = [0.001, 1].map((C) => ({ labels: many.labels, values: null, C }));
    const [shared, own] = [true, false].map((shares) =>
      createSplitFitter(multiplier, many.features, 600, many.foldOf, {
        ...settings,
        tolerance: 1e-2,
        shares,
      }),
    );
    for (const excluded of [[0], [4]]) {
      const [found, known] = [await shared!.fit(excluded, tasks), await own!.fit(excluded, tasks)];
      expect([...found.held]).toEqual([...known.held]);
      for (const [task, scores] of found.scores.entries()) {
        // Both stop at a relative error of 1e-2.
        expectAllClose(scores!, known.scores[task]!, 3e-2 * scaleOf(known.scores[task]!));
      }
    }
    const { order, shared: made, values, width } = shared!.standardiseAll();
    expect(made?.coded).not.toBeNull();
    expect([...order].sort((a, b) => a - b)).toEqual([...order.keys()]);
    const again = standardiseRows(many.features, 600);
    expectAllClose(
      values.subarray(0, width),
      again.values.subarray(order[0]! * 600, order[0]! * 600 + 600),
      1e-5,
    );
  });

  it("has no scores for a task whose training rows have one class, beside one that does", async () => {
    const lonely = labels.map((_, row) => (foldOf[row] === 0 && row % 2 === 0 ? 1 : 0));
    const fitter = createSplitFitter(multiplier, features, 5, foldOf, settings);
    const tasks = [lonely, labels].map((own) => ({ labels: own, values: null, C: 1 }));
    const { scores } = await fitter.fit([0], tasks);
    expect(scores[0]).toBeNull();
    expect(scores[1]!.length).toBe(12);
  });

  it("stops when it is told to", async () => {
    const abort = new AbortController();
    abort.abort(new Error("enough"));
    const fitter = createSplitFitter(multiplier, features, 5, foldOf, { ...settings, signal: abort.signal });
    await expect(fitter.fit([0], [{ labels, values: null, C: 1 }])).rejects.toThrow("enough");
  });
});
