import { availableParallelism, totalmem } from "node:os";
import { readCpuQuota } from "./cpu-quota.ts";

/** What this process may use of its machine. */
export interface Machine {
  /** Threads that can run at a time. */
  readonly threads: number;
  readonly memoryBytes: number;
}

/** What the operating system says. */
export interface MachineReadings {
  readonly parallelism?: number;
  /** @see readCpuQuota */
  readonly cpuQuota?: number | null;
  readonly totalBytes?: number;
  /** Of the control group; 0 or more than there is without a limit. */
  readonly constrainedBytes?: number;
}

/** The machine as a container or a service sees it: the smaller of what there is and what its limits allow. */
export function readMachine({
  parallelism = availableParallelism(),
  cpuQuota = readCpuQuota(),
  totalBytes = totalmem(),
  constrainedBytes = process.constrainedMemory(),
}: MachineReadings = {}): Machine {
  return {
    // rounded down: a thread beyond the quota is stopped in the middle of each period, and all others wait for it
    threads: Math.max(1, Math.min(parallelism, Math.floor(cpuQuota ?? parallelism))),
    memoryBytes: constrainedBytes > 0 ? Math.min(totalBytes, constrainedBytes) : totalBytes,
  };
}
