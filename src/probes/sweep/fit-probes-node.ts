import { planThreads } from "../../engine/runtime/machine-node.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { canStartWorkers, startWorkerThreads, workerFile } from "../../engine/runtime/worker-threads-node.ts";
import { readFeatures } from "../../states/feature-source.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { createMatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { ProbeTargetSpec } from "./outcomes.ts";
import {
  createProbeEngine,
  type FitResult,
  type PermuteResult,
  type ProbeEngine,
  type ProbeJob,
  type ScoreResult,
} from "./probe-job.ts";
import {
  type FitProbesEvent,
  type FitProbesOptions,
  type FittedProbes,
  type SweepPlatform,
  sweepProbes,
} from "./sweep-probes.ts";
import type { ProbeFeatures, SweepUnit } from "./sweep-units.ts";

/** Fits probes on Node: files of hidden states, and worker threads. */
export function fitProbes(
  features: ProbeFeatures,
  targets: Readonly<Record<string, ProbeTargetSpec>>,
  questionIds: readonly string[],
  options: FitProbesOptions = {},
): AsyncGenerator<FitProbesEvent, FittedProbes> {
  return sweepProbes(features, targets, questionIds, NODE, options);
}

const NODE: SweepPlatform = {
  openStates: openHiddenStates,
  async openEngine(units, fits, { workers = planWorkers(units, fits), signal }) {
    if (workers > 1 && canStartWorkers()) return startWorkers(workers, signal);
    return createProbeEngine({ multiplier: await createMatrixMultiplier(ortNode), readFeatures }, signal);
  },
};

function startWorkers(workers: number, signal: AbortSignal | undefined): ProbeEngine {
  const file = workerFile(import.meta.url, "probe-worker-node");
  const threads = startWorkerThreads<ProbeJob, unknown>(file, workers, null);
  return {
    concurrency: workers,
    score: (job) => threads.submit(job, { signal }) as Promise<ScoreResult>,
    fit: (job) => threads.submit(job, { signal }) as Promise<FitResult>,
    permute: (job) => threads.submit(job, { signal }) as Promise<PermuteResult>,
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}

/** Multiplications that take about as long as starting threads and their onnxruntime. */
const WORK_WORTH_WORKERS = 3e9;

/**
 * How many threads fit the probes: one per CPU core, as memory allows.
 * @param fits splits of each unit
 */
function planWorkers(units: readonly SweepUnit[], fits: number): number {
  const sizes = units.map(({ present, width, layerCount }) => {
    const rows = present.length;
    const total = width * layerCount;
    // the states, standardised and in int8; then the Gram matrices of all rows and of some, or a transposed copy of each
    return { bytes: 9 * rows * total + 8 * rows * Math.min(rows, total), work: rows * rows * total };
  });
  const work = fits * sizes.reduce((sum, size) => sum + size.work, 0);
  if (work < WORK_WORTH_WORKERS) return 1;
  const largest = Math.max(...sizes.map(({ bytes }) => bytes));
  const { workers } = planThreads(largest, { device: "cpu" });
  return Math.min(workers, units.length);
}
