import { createGraph, type OnnxGraph, type TensorName } from "../../engine/graph/graph.ts";
import { stableStringify } from "../../formats/json.ts";
import { findDecision } from "../assess-risk.ts";
import type { CalibrationMap } from "../calibration.ts";
import type { Probe } from "../probe.ts";

/** Names of the graph's tensors. */
export const PROBE_TENSORS = { features: "hidden_states", score: "score", risk: "risk" } as const;

/**
 * A probe as an ONNX model in float32: `hidden_states` [N, width] -> `score` [N], and `risk` [N] where the probe is
 * calibrated. What it belongs to is in the model's metadata.
 */
export function buildProbeGraph(probe: Probe): Uint8Array {
  const { width, mean, scale, coefficients, intercept, hidden, calibration_map } = probe;
  const graph = createGraph("probe", describeProbe(probe));
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
function describeProbe(probe: Probe): Record<string, string> {
  const { kind, target, features, position, layer, layer_count, source } = probe;
  const threshold = findDecision(probe, "risk")?.threshold ?? null;
  return {
    ...source,
    kind,
    target,
    features,
    ...(position === null ? {} : { position }),
    ...(layer === null ? {} : { layer: String(layer), layer_count: String(layer_count) }),
    ...(threshold === null ? {} : { decision: stableStringify({ ...threshold }) }),
  };
}
