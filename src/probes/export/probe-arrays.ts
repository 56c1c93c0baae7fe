import { stableStringify } from "../../formats/json.ts";
import type { NpyArray } from "../../formats/npy.ts";
import type { Probe } from "../probe.ts";
import { splitProbe } from "../split-probe.ts";

/**
 * A probe's arrays by name: those of its safetensors file; `intercept` [1]; of its calibration `platt` [slope, offset] or
 * `isotonic_x` and `isotonic_y`; and everything else as JSON in `description` [1].
 */
export function toProbeArrays(probe: Probe): Record<string, NpyArray> {
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
