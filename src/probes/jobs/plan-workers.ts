import { planThreads } from "../../engine/runtime/machine-node.ts";
import type { ProbeUnit } from "../sweep/units.ts";

/** Multiplications that take about as long as starting threads and their onnxruntime. */
const WORK_WORTH_WORKERS = 3e9;

/**
 * How many threads fit the probes: one a processor, as memory allows.
 * @param fits splits of each unit
 */
export function planWorkers(units: readonly ProbeUnit[], fits: number): number {
  const sizes = units.map(({ present, width, layerCount }) => {
    const rows = present.length;
    const total = width * layerCount;
    // the states, the same standardised and in eight bits; then K of all rows and of some, or a transposed copy of each
    return { bytes: 9 * rows * total + 8 * rows * Math.min(rows, total), work: rows * rows * total };
  });
  const work = fits * sizes.reduce((sum, size) => sum + size.work, 0);
  if (work < WORK_WORTH_WORKERS) return 1;
  const largest = Math.max(...sizes.map(({ bytes }) => bytes));
  const { workers } = planThreads(largest, { device: "cpu" });
  return Math.min(workers, units.length);
}
