import { SepError } from "../../errors.ts";
import type { DeviceName } from "./device.ts";
import { type Machine, readMachine } from "./machine.ts";

/** How a machine's processors are used: so many copies of the model, each with so many threads. */
export interface ThreadPlan {
  readonly workers: number;
  readonly threadsPerWorker: number;
  /** All of them. */
  readonly threads: number;
}

/** What is asked for; the machine decides the rest. */
export interface ThreadPlanOptions {
  readonly device: DeviceName;
  readonly threads?: number | undefined;
  /** Bound on all copies together. */
  readonly memoryBytes?: number | undefined;
}

/**
 * Without a bound, copies of a model take this share of the memory; the rest is for keys and values, activations, the
 * operating system and everybody else.
 */
const SHARE_OF_MEMORY = 0.25;

/**
 * Copies of a model that work on different questions use processors better than one copy whose every operator is
 * split among them, since much of a decoding step is too small to split. Memory bounds the copies. A graphics card is
 * one, and gets one copy.
 * @param modelBytes what one loaded copy takes
 * @throws SepError `model-too-large` when one copy takes more than the bound that was asked for
 */
export function planThreads(
  modelBytes: number,
  { device, threads: asked, memoryBytes }: ThreadPlanOptions,
  machine: Machine = readMachine(),
): ThreadPlan {
  const threads = asked ?? machine.threads;
  if (device !== "cpu") return { workers: 1, threadsPerWorker: threads, threads };
  if (memoryBytes !== undefined && modelBytes > memoryBytes) {
    throw new SepError(
      "model-too-large",
      `The model takes about ${formatGib(modelBytes)} once it is loaded, and --memory allows ${formatGib(memoryBytes)}. Allow more, or use another --dtype or a smaller model.`,
    );
  }
  const affordable = Math.floor((memoryBytes ?? SHARE_OF_MEMORY * machine.memoryBytes) / modelBytes);
  const workers = Math.max(1, Math.min(threads, affordable));
  return { workers, threadsPerWorker: Math.floor(threads / workers), threads };
}

function formatGib(sizeBytes: number): string {
  const size = sizeBytes / 2 ** 30;
  return `${size < 10 ? size.toPrecision(2) : Math.round(size)} GiB`;
}
