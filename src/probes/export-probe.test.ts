import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose } from "../../test/expect-all-close.ts";
import { hashed } from "../../test/fakes/hashed.ts";
import { makeFamiliarity, makeProbe } from "../../test/fakes/make-probe.ts";
import { readNpz } from "../store/array-file.ts";
import { exportPathOf, exportProbe, loadProbe } from "../study/probe-files.ts";
import { assessRisk } from "./assess-risk.ts";
import type { CalibrationMap } from "./calibration.ts";
import type { Probe } from "./probe.ts";
import { assertStates, type PlacedStates, scoreProbe } from "./score-probe.ts";

const golden = JSON.parse(
  await readFile(new URL("../../test/golden/probe-exports.json", import.meta.url), "utf8"),
) as {
  readonly n: number;
  readonly d: number;
  readonly scaler: { readonly mean_: number[]; readonly scale_: number[] };
  readonly classifier: {
    readonly coef_: [number[]];
    readonly intercept_: [number];
    readonly classes_: number[];
  };
  readonly predict_proba: number[];
  readonly platt: { readonly slope: number; readonly offset: number; readonly risk: number[] };
  readonly isotonic: { readonly x: number[]; readonly y: number[]; readonly risk: number[] };
};
const { n, d } = golden;
const states = Float32Array.from({ length: n * d }, (_, at) => {
  const [i, j] = [Math.floor(at / d), at % d];
  return (1 + (j % 4)) * (hashed(i, j) - 0.5) + j;
});
const platt: CalibrationMap = { method: "platt", slope: golden.platt.slope, offset: golden.platt.offset };
const isotonic: CalibrationMap = { method: "isotonic", x: golden.isotonic.x, y: golden.isotonic.y };
const linear = makeProbe({
  width: d,
  mean: Float32Array.from(golden.scaler.mean_),
  scale: Float32Array.from(golden.scaler.scale_),
  coefficients: Float32Array.from(golden.classifier.coef_[0]),
  intercept: golden.classifier.intercept_[0],
  calibration_map: platt,
});
const familiarity = makeFamiliarity(d);
const placed = (values = states): PlacedStates =>
  assertStates(values, { position: "think-end", layer: 2, width: d, normState: "residual" });
const units = 3;
const network: Probe = {
  ...linear,
  kind: "mlp",
  coefficients: Float32Array.of(1, -2, 0.5),
  hidden: {
    weights: Float32Array.from({ length: d * units }, (_, i) => hashed(i, 8) - 0.5),
    biases: Float32Array.of(0.1, 0, -0.2),
  },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-export-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function runOnnx(
  probe: Probe,
  features: Float32Array,
): Promise<Readonly<Record<string, Float32Array>>> {
  const path = join(folder, "probe.onnx");
  expect(await exportProbe(probe, path, "onnx")).toEqual([path]);
  const session = await InferenceSession.create(path);
  const outputs = await session.run({
    hidden_states: new Tensor("float32", features, [features.length / d, d]),
  });
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
}

describe("scoring, against scikit-learn and numpy", () => {
  it("predicts the same probabilities", () => {
    expectAllClose(scoreProbe(linear, placed()), golden.predict_proba, 1e-12); // float64 sums in another order
  });

  it.each([
    ["platt", platt, golden.platt.risk],
    ["isotonic", isotonic, golden.isotonic.risk],
  ] as const)("calibrates by %s", (_name, calibration_map, risk) => {
    const own = assessRisk({ ...linear, calibration_map }, placed()).map((each) => each.risk as number);
    expectAllClose(own, risk, 1e-12);
  });
});

describe("ONNX", () => {
  it.each<[string, Probe]>([
    ["a linear probe with platt", linear],
    ["with isotonic", { ...linear, calibration_map: isotonic }],
    ["with one isotonic point", { ...linear, calibration_map: { method: "isotonic", x: [0.5], y: [0.3] } }],
    ["a network", network],
  ])("%s computes what scoreProbe and assessRisk do", async (_name, probe) => {
    const { score, risk } = await runOnnx(probe, states);
    const expected = assessRisk(probe, placed());
    // float32 all through
    expectAllClose(
      score!,
      expected.map((each) => each.score),
      2e-6,
    );
    expectAllClose(
      risk!,
      expected.map((each) => each.risk as number),
      4e-6,
    );
  });

  it("has no risk for a probe that is not calibrated, and calibrates scores that round to 1", async () => {
    expect(Object.keys(await runOnnx({ ...linear, calibration_map: null }, states))).toEqual(["score"]);
    const sure = {
      ...linear,
      intercept: 20,
      calibration_map: { method: "platt", slope: 0.02, offset: 0 },
    } as const;
    const { risk } = await runOnnx(sure, states.subarray(0, d));
    expectAllClose(risk!, [assessRisk(sure, placed(states.subarray(0, d)))[0]!.risk as number], 1e-6);
    expect(risk![0]).toBeLessThan(0.62);
  });
});

describe("files", () => {
  it("portable is a probe again", async () => {
    const path = join(folder, "copy.json");
    expect(await exportProbe(network, path, "portable")).toEqual([path, join(folder, "copy.safetensors")]);
    expect(await loadProbe(path)).toEqual(network);
    await exportProbe({ ...network, familiarity }, path, "portable");
    expect((await loadProbe(path)).familiarity).toEqual(familiarity);
    await expect(exportProbe(network, join(folder, "copy.bin"), "portable")).rejects.toThrow(/\.json file/);
  });

  it("npz holds every number", async () => {
    const path = join(folder, "probe.npz");
    await exportProbe({ ...network, calibration_map: isotonic }, path, "npz");
    const arrays = await readNpz(path);
    expect(arrays.hidden_weights).toEqual({ dtype: "f4", shape: [d, units], data: network.hidden!.weights });
    expect(arrays.coefficients!.data).toEqual(network.coefficients);
    expect(arrays.intercept!.data).toEqual(Float64Array.of(network.intercept));
    expect(arrays.isotonic_y!.data).toEqual(Float64Array.from(golden.isotonic.y));
    expect(JSON.parse(arrays.description!.data[0] as string)).toMatchObject({
      position: "think-end",
      layer: 2,
    });
    await exportProbe({ ...linear, familiarity }, path, "npz");
    expect((await readNpz(path)).familiarity_directions).toEqual({
      dtype: "f4",
      shape: [1, d],
      data: familiarity.directions,
    });
    expect((await readNpz(path)).platt!.data).toEqual(Float64Array.of(1.5, -0.25));
  });

  it("sklearn-json has what scikit-learn itself has", async () => {
    const path = join(folder, "probe.sklearn.json");
    await exportProbe({ ...linear, familiarity }, path, "sklearn-json");
    const { scaler, classifier, probe } = JSON.parse(await readFile(path, "utf8"));
    expect(scaler).toEqual(golden.scaler);
    expect(classifier).toEqual(golden.classifier);
    expect(probe).toMatchObject({
      target: "incorrect",
      calibration_map: platt,
      familiarity: { training_questions: 12, validation_questions: 3 },
    });
    await expect(exportProbe(network, path, "sklearn-json")).rejects.toMatchObject({ code: "bad-option" });
  });

  it("go beside the probe, under its name", () => {
    expect(exportPathOf("a/se_probe.json", "onnx")).toBe("a/se_probe.onnx");
    expect(exportPathOf("a/se_probe.json", "sklearn-json")).toBe("a/se_probe.sklearn.json");
  });
});
