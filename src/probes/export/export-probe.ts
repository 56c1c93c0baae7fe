import { SepError } from "../../errors.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import type { NpyArray } from "../../formats/npy.ts";
import { encodeNpz } from "../../formats/npz.ts";
import type { Probe } from "../probe.ts";
import { splitProbe } from "../split-probe.ts";
import { buildProbeGraph } from "./probe-graph.ts";

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
  switch (format) {
    case "onnx":
      return buildProbeGraph(probe);
    case "npz":
      return encodeNpz(toProbeArrays(probe));
    case "sklearn-json":
      return `${stableStringify(toSklearn(probe), 1)}\n`;
  }
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
 * 1 is the probe's label 1. docs/probes.md has the Python that takes them.
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
