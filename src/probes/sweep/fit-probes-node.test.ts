import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectAllClose } from "../../../test/expect-all-close.ts";
import { plantLayers } from "../../../test/fakes/planted-layers.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { auroc } from "../../math/auroc.ts";
import { writeSafetensors } from "../../store/safetensors.ts";
import { sweepTolerance } from "../fit-logistic.ts";
import { createSplitFitter, type SplitTask } from "../fit-split.ts";
import { scoreRows } from "../probe-weights.ts";
import { createMatrixMultiplier } from "../products/matrix-multiplier.ts";
import { chooseSeThreshold } from "../se-threshold.ts";
import type { ProbeTargetSpec } from "../sweep/outcomes.ts";
import { fitProbes } from "./fit-probes-node.ts";
import type { FitProbesEvent, FitProbesOptions, FittedProbes } from "./sweep-probes.ts";
import type { ProbeFeatures } from "./sweep-units.ts";

const planted = plantLayers([0, 0.5, 1.5, 0.5]);
const { layers, labels, values, questionIds } = planted;
const features = { layersAt: { end: layers } };

describe("fitProbes", () => {
  it("finds the layer with the signal, and counts its progress up to its total", async () => {
    const { fitted, events } = await finish(features, { wrong: { labels } });
    const { best, everywhere } = fitted.targets.wrong!;
    expect(best).toMatchObject({ position: "end", layer: 2, layerCount: 1, warnings: [] });
    expect(everywhere).toEqual([]);
    expect(fitted.layerScores.map(({ layer }) => layer)).toEqual([0, 1, 2, 3]);
    expect(fitted.layerScores[2]!.auroc.wrong).toBe(best!.auroc);
    expect(best!.auroc).toBe(Math.max(...best!.penaltyScores.map((score) => score.auroc!)));
    expect(best!.penaltyScores.find((score) => score.C === best!.C)!.auroc).toBe(best!.auroc);
    expect(auroc(best!.outOfFold, labels)).toBeGreaterThan(0.75);
    expect(auroc(scoreRows(best!.weights, layers[2]!), labels)).toBeGreaterThan(best!.auroc!);
    expect(best!.relativeError).toBeLessThan(1e-7);
    expect(events[0]).toEqual({ kind: "started", done: 0, total: 5 });
    expect(events.map(({ done }) => done)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("keeps one at every layer when told to, the best among them", async () => {
    const { fitted } = await finish(features, { wrong: { labels } }, { keep: "every" });
    const { best, everywhere } = fitted.targets.wrong!;
    expect(everywhere.map(({ layer }) => layer)).toEqual([0, 1, 2, 3]);
    expect(everywhere[2]).toEqual(best);
    expect(everywhere.map(({ auroc: area }) => area)).toEqual(
      fitted.layerScores.map((score) => score.auroc.wrong),
    );
  });

  it("does not depend on what other targets and layers are there", async () => {
    const options = { c: [0.01, 1] } as const;
    const folds = (await finish(features, { wrong: { labels } }, options)).fitted.folds;
    const alone = await finish(
      { layersAt: { end: [layers[2]!] } },
      { wrong: { labels } },
      { ...options, folds },
    );
    const together = await finish(
      features,
      { other: { labels: turn(labels) }, wrong: { labels } },
      { ...options, folds },
    );
    const { best } = alone.fitted.targets.wrong!;
    const beside = together.fitted.targets.wrong!.best!;
    expect(beside).toMatchObject({ layer: 2, C: best!.C, auroc: best!.auroc });
    // products of more columns at a time are rounded otherwise
    expectAllClose(beside.weights.coefficients, best!.weights.coefficients, 1e-6);
    expectAllClose(beside.outOfFold, best!.outOfFold, 1e-3); // of a sweep, which stops at 1e-2
    // labels the other way round are the same problem mirrored
    const mirrored = together.fitted.targets.other!.best!;
    expect(mirrored.auroc).toBeCloseTo(best!.auroc!, 12);
    expectAllClose(
      mirrored.weights.coefficients.map((coefficient) => -coefficient),
      best!.weights.coefficients,
      1e-6,
    );
  });

  it("reads windows of concatenated layers", async () => {
    const { fitted } = await finish(features, { wrong: { labels } }, { window: 2, c: 0.01 });
    expect(fitted.layerScores.map(({ layer }) => layer)).toEqual([0, 1, 2]);
    const { best } = fitted.targets.wrong!;
    expect(best!.layerCount).toBe(2);
    expect(best!.weights.mean.length).toBe(16);
    // the mean of the second layer's first feature comes after the eight of the first layer
    const second = layers[best!.layer + 1]!;
    const mean = labels.reduce((sum, _, row) => sum + second[row * 8]!, 0) / labels.length;
    expect(best!.weights.mean[8]).toBeCloseTo(mean, 6);
  });

  it("reads a hidden-states file as it reads arrays, and leaves out rows that lack a position", async () => {
    const path = await writeStates({ "think-end": layers, "last-token": layers.slice().reverse() });
    const everyRow = Int32Array.from(labels.keys());
    const options = { c: 0.1, position: "think-end" } as const;
    const fromFile = await finish(
      { path, stateRows: { "think-end": everyRow } },
      { wrong: { labels } },
      options,
    );
    const fromArrays = await finish({ layersAt: { "think-end": layers } }, { wrong: { labels } }, options);
    expect(fromFile.fitted).toEqual(fromArrays.fitted);

    const some = everyRow.map((row) => (row % 4 === 0 ? -1 : row));
    const both = { "think-end": some, "last-token": everyRow };
    const { fitted } = await finish({ path, stateRows: both }, { wrong: { labels } }, options);
    const { best } = fitted.targets.wrong!;
    expect(best!.rows.length).toBe(90);
    expect(best!.outOfFold.filter(Number.isNaN).length).toBe(30);
    expect(best!.outOfFold[0]).toBeNaN();
    expect(best!.outOfFold[1]).not.toBeNaN();
    expect(fitted.layerScores.map((score) => `${score.position} ${score.row_count}`)).toContain(
      "think-end 90",
    );
    // where the position is free, the one that some rows lack is scored but not chosen
    const free = await finish({ path, stateRows: both }, { wrong: { labels } }, { c: 0.1 });
    expect(free.fitted.targets.wrong!.best).toMatchObject({ position: "last-token", layer: 1 });
  });

  it("makes probabilities of scores that are none, and takes ridge on the numbers themselves", async () => {
    const target = { values, threshold: "median" } as const;
    for (const kind of ["ridge", "mean-difference"] as const) {
      const { fitted } = await finish(features, { high: target }, { probe: kind, layer: 2 });
      const { best, labels: high } = fitted.targets.high!;
      const { slope, offset } = best!.calibration!;
      const scores = scoreRows(best!.weights, layers[2]!);
      expect(auroc(scores, high)).toBeGreaterThan(0.85);
      if (kind === "ridge") {
        // undone, the calibration leaves the number that ridge predicts, whose mean is that of the values
        const predicted = scores.map((score) => (score - offset) / slope);
        expect(mean(predicted)).toBeCloseTo(mean(values), 5);
        expect(correlation(predicted, values)).toBeGreaterThan(0.8);
      } else expect(best!.C).toBe(0);
      const probabilities = best!.outOfFold.map((score) => 1 / (1 + Math.exp(-score)));
      expect(mean(probabilities)).toBeCloseTo(mean(high), 2); // what a logistic regression on them ensures
    }
  });

  it("says so when scores of noise cannot be called probabilities, and never turns them round", async () => {
    const noise = plantLayers([0], { seed: 13 });
    const { fitted } = await finish(
      { layersAt: { end: noise.layers } },
      { wrong: { labels: noise.labels } },
      { probe: "mean-difference" },
    );
    const { best } = fitted.targets.wrong!;
    expect(best!.auroc).toBeLessThan(0.5);
    expect(best!.calibration).toBeNull();
    expect(best!.warnings.map(({ code }) => code)).toEqual(["not-calibrated"]);
  });

  it("keeps a network, too", async () => {
    const { fitted } = await finish(features, { wrong: { labels } }, { probe: "mlp", layer: 2, c: 0.1 });
    const { weights, relativeError, outOfFold } = fitted.targets.wrong!.best!;
    expect(weights.hidden!.weights.length).toBe(8 * 32);
    expect(relativeError).toBeNull();
    expect(auroc(outOfFold, labels)).toBeGreaterThan(0.7);
  });

  it("has no probe where labels are all the same, beside a target that has one", async () => {
    const { fitted, events } = await finish(
      features,
      { none: { labels: labels.map(() => 1) }, wrong: { labels } },
      { c: 0.1, nested: true, permutations: 5 },
    );
    expect(fitted.targets.none).toMatchObject({ best: null, nested: null, permutation: null });
    expect(fitted.layerScores[0]!.auroc.none).toBeNull();
    expect(fitted.targets.wrong!.best).not.toBeNull();
    expect(events.at(-1)!.done).toBe(events.at(-1)!.total);
  });

  it("guesses a layer, and says so, where no fold has both classes", async () => {
    const lonely = Uint8Array.from(labels, (_, row) => (row < 3 ? 1 : 0)); // one question
    const { fitted } = await finish(features, { wrong: { labels: lonely } });
    expect(fitted.targets.wrong!.best).toMatchObject({ layer: 3, C: 0.01, auroc: null });
    expect(fitted.targets.wrong!.best!.warnings.map(({ code }) => code)).toEqual(["no-layer-score"]);
  });

  it.each<[string, ProbeFeatures, Record<string, ProbeTargetSpec>, FitProbesOptions, RegExp]>([
    ["labels of another length", features, { wrong: { labels: [0, 1] } }, {}, /2 rows, there are 120/],
    ["labels that are none", features, { wrong: { labels: labels.map(() => 2) } }, {}, /has a label 2/],
    [
      "values that are no numbers",
      features,
      { high: { values: values.map(() => Number.NaN), threshold: "median" } },
      {},
      /not a finite number/,
    ],
    ["a layer that is not there", features, { wrong: { labels } }, { layer: 7 }, /layer 7 at position best/],
    ["a window of no layer", features, { wrong: { labels } }, { window: 0 }, /window is 0/],
    ["a window that is too long", features, { wrong: { labels } }, { window: 5 }, /5 layers in a row/],
    ["no layers", { layersAt: {} }, { wrong: { labels } }, {}, /no position/],
    [
      "layers of other sizes",
      { layersAt: { end: [layers[0]!, new Float32Array(7)] } },
      { wrong: { labels } },
      {},
      /have 7 numbers/,
    ],
    ["c <= 0", features, { wrong: { labels } }, { c: [1, 0] }, /positive numbers/],
    [
      "folds of other rows",
      features,
      { wrong: { labels } },
      { folds: { foldOf: [0, 1], foldCount: 2 } },
      /folds are of 2 rows/,
    ],
  ])("refuses %s", async (_name, states, targets, options, message) => {
    await expect(finish(states, targets, options)).rejects.toThrow(message);
  });

  it("stops when it is told to", async () => {
    const abort = new AbortController();
    const fitting = fitProbes(features, { wrong: { labels } }, questionIds, { signal: abort.signal });
    await fitting.next();
    abort.abort(new Error("enough"));
    await expect(fitting.next()).rejects.toThrow("enough");
  });
});

describe("a nested estimate", () => {
  it("is what the same choices give when they are made fold by fold, by hand", async () => {
    const penalties = [0.001, 0.1];
    const target = { values, threshold: "best-split" } as const;
    const { fitted } = await finish(features, { high: target }, { nested: true, c: penalties });
    const { nested } = fitted.targets.high!;
    const foldOf = Uint8Array.from(fitted.folds.foldOf);
    await using multiplier = await createMatrixMultiplier(ortNode);
    const basics = { kind: "logistic", classWeight: "none", seed: 42, shares: true } as const;
    const settings = { ...basics, tolerance: sweepTolerance(foldOf.length) };
    const fitters = layers.map((layer) => createSplitFitter(multiplier, layer, 8, foldOf, settings));
    const folds = [0, 1, 2, 3, 4];
    for (const outer of folds) {
      const inTraining = (row: number) => foldOf[row] !== outer;
      const entropies = new Map(
        questionIds.flatMap((id, row) => (inTraining(row) ? [[id, values[row]!]] : [])),
      );
      const { threshold } = chooseSeThreshold([...entropies.values()]);
      const high = Uint8Array.from(values, (value) => (value > threshold ? 1 : 0));
      const areaOf = async (layer: number, C: number, excluded: number[], fold: number): Promise<number> => {
        const task: SplitTask = { labels: high, values: null, C };
        const { held, scores } = await fitters[layer]!.fit(excluded, [task]);
        const own = Array.from(held.keys()).filter((place) => foldOf[held[place]!] === fold);
        return auroc(
          own.map((place) => scores[0]![place]!),
          own.map((place) => high[held[place]!]!),
        );
      };
      const tried: { layer: number; C: number; area: number }[] = [];
      for (const layer of layers.keys()) {
        for (const C of penalties) {
          const areas: number[] = [];
          for (const inner of folds.filter((fold) => fold !== outer))
            areas.push(await areaOf(layer, C, [outer, inner], inner));
          tried.push({ layer, C, area: mean(areas) });
        }
      }
      const chosen = tried.reduce((best, each) => (each.area > best.area ? each : best));
      const found = nested!.folds[outer]!;
      expect(found).toMatchObject({ position: "end", layer: chosen.layer, C: chosen.C, threshold });
      expect(found.auroc).toBeCloseTo(await areaOf(chosen.layer, chosen.C, [outer], outer), 12);
    }
    expect(nested!.auroc).toBeCloseTo(mean(nested!.folds.map((fold) => fold.auroc!)), 12);
    expect(nested!.scores.some(Number.isNaN)).toBe(false);
  });

  it("takes back what choosing among layers of noise has gained", async () => {
    let best = 0;
    let nested = 0;
    const repeats = 6;
    for (let seed = 0; seed < repeats; seed++) {
      const noise = plantLayers(new Array(20).fill(0), { seed: 100 + seed });
      const states = { layersAt: { end: noise.layers } };
      const { fitted } = await finish(states, { wrong: { labels: noise.labels } }, { nested: true, c: 0.01 });
      best += fitted.targets.wrong!.best!.auroc! / repeats;
      nested += fitted.targets.wrong!.nested!.auroc! / repeats;
    }
    expect(best).toBeGreaterThan(0.56); // the best of twenty, on 120 rows
    expect(nested).toBeLessThan(0.53);
    expect(nested).toBeGreaterThan(0.4);
  });
});

describe("permutations", () => {
  it("are refitted, and tell signal from noise", async () => {
    const options = { permutations: 99, c: 0.01 };
    const { fitted, events } = await finish(features, { wrong: { labels } }, options);
    const { best, permutation } = fitted.targets.wrong!;
    const { chosen, best_of_all } = permutation!;
    expect(permutation).toMatchObject({
      permutations: 99,
      scheme: "equal-blocks",
      exchangeable_questions: 40,
    });
    expect(chosen!.auroc).toBe(best!.auroc);
    expect(chosen!.p_value).toBe(0.01); // 1 / (1 + 99), the least there is
    expect(Math.abs(chosen!.null_quantiles[1] - 0.5)).toBeLessThan(0.05);
    // the best of four layers is better under the null hypothesis, too
    expect(best_of_all!.null_quantiles[1]).toBeGreaterThan(chosen!.null_quantiles[1] + 0.02);
    expect(best_of_all!.p_value).toBe(0.01);
    expect(events.filter(({ kind }) => kind === "permuted").length).toBe(5 + 4);
    expect(events.at(-1)!.done).toBe(events.at(-1)!.total);

    const noise = plantLayers([0, 0, 0], { seed: 5 });
    const nothing = await finish(
      { layersAt: { end: noise.layers } },
      { wrong: { labels: noise.labels } },
      options,
    );
    expect(nothing.fitted.targets.wrong!.permutation!.best_of_all!.p_value).toBeGreaterThan(0.05);
  });

  it("are nothing where no two questions can exchange labels", async () => {
    const sizes = [1, 2, 3, 4, 5, 6];
    const ids = sizes.flatMap((size) => new Array<string>(size).fill(`q${size}`));
    const own = Uint8Array.from(ids, (_, row) => row % 2);
    const states = { layersAt: { end: [layers[2]!.slice(0, ids.length * 8)] } };
    const fitting = fitProbes(states, { wrong: { labels: own } }, ids, { permutations: 9, folds: 3 });
    const fitted = await drain(fitting);
    expect(fitted.result.targets.wrong!.permutation).toMatchObject({ chosen: null, best_of_all: null });
  });
});

it("keeps the questions of a fold together whatever they are", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 6, max: 14 }),
      fc.integer({ min: 1, max: 4 }),
      async (questions, rows) => {
        const study = plantLayers([1], { questions, rowsAQuestion: rows, seed: questions });
        fc.pre(study.labels.includes(0) && study.labels.includes(1));
        const fitting = fitProbes(
          { layersAt: { end: study.layers } },
          { wrong: { labels: study.labels } },
          study.questionIds,
          {
            c: 1,
          },
        );
        const { folds } = (await drain(fitting)).result;
        const foldOf = new Map(study.questionIds.map((id, row) => [id, folds.foldOf[row]]));
        study.questionIds.forEach((id, row) => {
          expect(folds.foldOf[row]).toBe(foldOf.get(id));
        });
      },
    ),
    { numRuns: 8, seed: 1 },
  );
});

async function finish(
  states: ProbeFeatures,
  targets: Record<string, ProbeTargetSpec>,
  options: FitProbesOptions = {},
): Promise<{ fitted: FittedProbes; events: readonly FitProbesEvent[] }> {
  const { result, events } = await drain(fitProbes(states, targets, questionIds, options));
  return { fitted: result, events };
}

async function drain(
  fitting: ReturnType<typeof fitProbes>,
): Promise<{ result: FittedProbes; events: readonly FitProbesEvent[] }> {
  const events: FitProbesEvent[] = [];
  for (;;) {
    const next = await fitting.next();
    if (next.done) return { result: next.value, events };
    events.push(next.value);
  }
}

async function writeStates(at: Readonly<Record<string, readonly Float32Array[]>>): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "sep-states-")), "hidden_states.safetensors");
  const tensors = Object.entries(at).flatMap(([position, own]) =>
    own.map((data, layer) => ({
      name: `${position}.layer.${layer}`,
      dtype: "F32" as const,
      shape: [labels.length, 8],
      data,
    })),
  );
  await writeSafetensors(path, tensors);
  return path;
}

const turn = (own: Uint8Array): Uint8Array => own.map((label) => 1 - label);
const mean = (numbers: ArrayLike<number>): number =>
  Array.from(numbers).reduce((sum, value) => sum + value, 0) / numbers.length;

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
