import { createGraph, type OnnxGraph, type TensorName } from "../engine/graph/graph.ts";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import type { NpyArray } from "../formats/npy.ts";
import { encodeNpz } from "../formats/npz.ts";
import { findDecision } from "./assess-risk.ts";
import type { CalibrationMap } from "./calibration.ts";
import { splitProbe } from "./encode-probe.ts";
import type { Probe } from "./probe.ts";

/**
 * What a probe can be written as.
 * - `portable`: this package's own two files, which Node and browsers read.
 * - `onnx`: a graph from hidden states to scores and calibrated risks.
 * - `npz`: its arrays, for numpy.
 * - `sklearn-json`: the attributes of a `StandardScaler` and a `LogisticRegression`.
 */
export const PROBE_EXPORT_FORMATS = ["portable", "onnx", "npz", "sklearn-json"] as const;
export type ProbeExportFormat = (typeof PROBE_EXPORT_FORMATS)[number];

/**
 * The content of a probe's file for other tools.
 * @throws SepError `bad-option` for a kind that the format cannot hold
 */
export function encodeForeignProbe(
  probe: Probe,
  format: Exclude<ProbeExportFormat, "portable">,
): string | Uint8Array {
  if (format !== "npz") requireOneState(probe, format);
  switch (format) {
    case "onnx":
      return buildProbeGraph(probe);
    case "npz":
      return encodeNpz(toProbeArrays(probe));
    case "sklearn-json":
      return `${stableStringify(toSklearn(probe), 1)}\n`;
  }
}

/** A file for states, one per row, holds a pooled mean, which is one, and no other pooling. */
function requireOneState({ pooling }: Probe, format: ProbeExportFormat): void {
  if (pooling === undefined || pooling.method === "mean") return;
  throw new SepError(
    "bad-option",
    `A probe with ${pooling.method} pooling reads all tokens of a span, but ${format} holds one that reads a single state. Export it as npz or portable.`,
  );
}

/**
 * A probe's arrays by name: those of its safetensors file; `intercept` [1]; of its calibration `platt` [slope, offset] or
 * `isotonic_x` and `isotonic_y`; and everything else as JSON in `description` [1].
 */
function toProbeArrays(probe: Probe): Record<string, NpyArray> {
  const { description, tensors } = splitProbe(probe);
  const { calibration_map: map, intercept } = probe;
  const numbers = (values: readonly number[]): NpyArray => ({
    dtype: "f8",
    shape: [values.length],
    data: Float64Array.from(values),
  });
  return {
    ...Object.fromEntries(
      tensors.map(({ name, shape, data }): [string, NpyArray] => [name, { dtype: "f4", shape, data }]),
    ),
    intercept: numbers([intercept]),
    ...(map?.method === "platt" ? { platt: numbers([map.slope, map.offset]) } : {}),
    ...(map?.method === "isotonic" ? { isotonic_x: numbers(map.x), isotonic_y: numbers(map.y) } : {}),
    description: { dtype: "U", shape: [1], data: [stableStringify(description)] },
  };
}

/**
 * The fitted attributes of scikit-learn's `StandardScaler` and `LogisticRegression`, under scikit-learn's names; class
 * 1 is the probe's label 1. docs/probe-files.md has the Python that takes them.
 * @throws SepError `bad-option` for an `mlp`, which is no linear model
 */
function toSklearn(probe: Probe): { readonly [key: string]: Json } {
  const { mean, scale, coefficients, intercept, hidden } = probe;
  const {
    training: _training,
    warnings: _warnings,
    intercept: _intercept,
    ...rest
  } = splitProbe(probe).description;
  if (hidden !== null)
    throw new SepError(
      "bad-option",
      "An mlp probe cannot be written as a logistic regression. Export it as onnx, npz or portable.",
    );
  return {
    format: "sklearn-logistic-regression",
    scaler: { mean_: [...mean], scale_: [...scale] },
    classifier: { coef_: [[...coefficients]], intercept_: [intercept], classes_: [0, 1] },
    probe: rest,
  };
}

/** Names of the graph's tensors. */
const PROBE_TENSORS = { features: "hidden_states", score: "score", risk: "risk" } as const;

/**
 * A probe as an ONNX model in float32: `hidden_states` [N, width] -> `score` [N], and `risk` [N] where the probe is
 * calibrated. What it belongs to is in the model's metadata.
 */
function buildProbeGraph(probe: Probe): Uint8Array {
  const { width, mean, scale, coefficients, intercept, hidden, calibration_map } = probe;
  const graph = createGraph("probe", describeUse(probe));
  const x = graph.input(PROBE_TENSORS.features, "float32", ["N", width]);
  const centred = graph.add("Sub", [x, graph.constant(mean, [width])]);
  let read = graph.add("Div", [centred, graph.constant(scale, [width])]);
  if (hidden !== null) {
    const units = hidden.biases.length;
    const product = graph.add("MatMul", [read, graph.constant(hidden.weights, [width, units])]);
    read = graph.add("Relu", [graph.add("Add", [product, graph.constant(hidden.biases, [units])])]);
  }
  const sum = graph.add("MatMul", [read, graph.constant(coefficients, [coefficients.length, 1])]);
  const logit = graph.add("Add", [sum, graph.scalar(intercept)]);
  const score = graph.add("Sigmoid", [logit]);
  addOutput(graph, score, PROBE_TENSORS.score);
  if (calibration_map !== null)
    addOutput(graph, addCalibration(graph, calibration_map, { logit, score }), PROBE_TENSORS.risk);
  return graph.serialize();
}

/** @param column [N, 1] */
function addOutput(graph: OnnxGraph, column: TensorName, name: string): void {
  graph.addNamed("Squeeze", [column, graph.integers([1])], [name]);
  graph.output(name, "float32", ["N"]);
}

/** @returns [N, 1] */
function addCalibration(
  graph: OnnxGraph,
  map: CalibrationMap,
  { logit, score }: { readonly logit: TensorName; readonly score: TensorName },
): TensorName {
  if (map.method === "platt") {
    // the logit itself: that of a score that float32 rounds to 0 or 1 would be infinite
    const scaled = graph.add("Mul", [logit, graph.scalar(map.slope)]);
    return graph.add("Sigmoid", [graph.add("Add", [scaled, graph.scalar(map.offset)])]);
  }
  const { x, y } = map;
  const segments = x.slice(1).flatMap((right, i) => {
    const left = x[i] as number;
    return right > left ? [{ left, width: right - left, rise: (y[i + 1] as number) - (y[i] as number) }] : [];
  });
  const first = graph.scalar(y[0] as number);
  const count = segments.length;
  // one point: level everywhere, in the shape of the scores
  if (count === 0) return graph.add("Add", [graph.add("Mul", [score, graph.scalar(0)]), first]);
  const row = (values: readonly number[], shape: readonly number[]): TensorName =>
    graph.constant(Float32Array.from(values), shape);
  const past = graph.add("Sub", [
    score,
    row(
      segments.map(({ left }) => left),
      [count],
    ),
  ]);
  const share = graph.add("Div", [
    past,
    row(
      segments.map(({ width }) => width),
      [count],
    ),
  ]);
  const clipped = graph.add("Max", [graph.add("Min", [share, graph.scalar(1)]), graph.scalar(0)]);
  const risen = graph.add("MatMul", [
    clipped,
    row(
      segments.map(({ rise }) => rise),
      [count, 1],
    ),
  ]);
  return graph.add("Add", [risen, first]);
}

/** What a reader of the file must know to feed it the right numbers. */
function describeUse(probe: Probe): Record<string, string> {
  const { kind, target, features, position, pooling, layer, layer_count, source } = probe;
  const threshold = findDecision(probe, "risk")?.threshold ?? null;
  return {
    ...source,
    kind,
    target,
    features,
    ...(position === null ? {} : { position }),
    ...(pooling === undefined ? {} : { pooling: pooling.method }),
    ...(layer === null ? {} : { layer: String(layer), layer_count: String(layer_count) }),
    ...(threshold === null ? {} : { decision: stableStringify({ ...threshold }) }),
  };
}
