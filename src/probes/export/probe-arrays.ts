import type { Json } from "../../store/json.ts";
import { stableStringify } from "../../store/json.ts";
import type { NpyArray } from "../../store/npy.ts";
import type { Probe } from "../probe.ts";

/**
 * A probe's arrays by name: `mean`, `scale` [width], `coefficients` [width or h], `intercept` [1], of an `mlp`
 * `hidden_weights` [width, h] and `hidden_biases` [h]; of its calibration `platt` [slope, offset] or `isotonic_x` and
 * `isotonic_y`; and everything else as JSON in `description` [1].
 */
export function toProbeArrays(probe: Probe): Record<string, NpyArray> {
  const { mean, scale, coefficients, intercept, hidden, ...description } = probe;
  const { calibration_map: map } = probe;
  const vector = (data: Float32Array): NpyArray => ({ dtype: "f4", shape: [data.length], data });
  const numbers = (values: readonly number[]): NpyArray => ({
    dtype: "f8",
    shape: [values.length],
    data: Float64Array.from(values),
  });
  return {
    mean: vector(mean),
    scale: vector(scale),
    coefficients: vector(coefficients),
    intercept: numbers([intercept]),
    ...(hidden === null
      ? {}
      : {
          hidden_weights: { dtype: "f4", shape: [probe.width, hidden.biases.length], data: hidden.weights },
          hidden_biases: vector(hidden.biases),
        }),
    ...(map?.method === "platt" ? { platt: numbers([map.slope, map.offset]) } : {}),
    ...(map?.method === "isotonic" ? { isotonic_x: numbers(map.x), isotonic_y: numbers(map.y) } : {}),
    description: { dtype: "U", shape: [1], data: [stableStringify(description as unknown as Json)] },
  };
}
