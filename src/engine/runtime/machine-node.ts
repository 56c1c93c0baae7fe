import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { SepError } from "../../errors.ts";
import type { DeviceName } from "./device.ts";

/** What this process may use of its machine. */
export interface Machine {
  /** Threads that can run at a time. */
  readonly threads: number;
  readonly memoryBytes: number;
}

/** What the operating system says. */
interface MachineReadings {
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

/** A kind of CPU: what decides how fast which of onnxruntime's kernels is. */
export interface CpuKind {
  readonly name: string;
  /** That this process may use. */
  readonly threads: number;
  /** Instruction sets for matrix products, as Linux names them; empty where the system does not list them. */
  readonly instructionSets: readonly string[];
}

/** @param readText reads `/proc/cpuinfo` */
export function readCpuKind(
  { threads }: Pick<Machine, "threads"> = readMachine(),
  readText: ReadText = readTextIfThere,
): CpuKind {
  const [, listed = ""] = /^(?:flags|Features)\s*:(.*)$/m.exec(readText("/proc/cpuinfo") ?? "") ?? [];
  const flags = new Set(listed.trim().split(/\s+/));
  return {
    name: cpus()[0]?.model.trim() || "unknown model",
    threads,
    instructionSets: INSTRUCTION_SETS.filter((name) => flags.has(name)),
  };
}

/** Those that onnxruntime has kernels for, of x86 and of Arm. */
const INSTRUCTION_SETS = [
  ...["avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"],
  ...["asimd", "asimddp", "i8mm", "bf16", "sve", "sme"],
];

/** How a machine's CPUs are used: so many copies of the model, each with so many threads. */
interface ThreadPlan {
  readonly workers: number;
  readonly threadsPerWorker: number;
  /** All of them. */
  readonly threads: number;
}

/** What is asked for; the machine decides the rest. */
interface ThreadPlanOptions {
  readonly device: DeviceName;
  readonly threads?: number | undefined;
  /** Bound on all copies and what they compute. */
  readonly memoryBytes?: number | undefined;
}

/** Without a bound, a model takes this share of the memory; the rest is for the operating system and everybody else. */
const SHARE_OF_MEMORY = 0.5;
/** Of that, copies of the model take at most this share, unless a single one takes more; the rest is for what they compute. */
const SHARE_FOR_COPIES = 0.5;
/** What remains for this, of the whole memory, if a single copy takes more than its share and no bound was asked for. */
const LEAST_SHARE_TO_COMPUTE = 0.125;

/**
 * Copies of a model that work on different questions use CPUs better than one copy whose every operator is split among
 * them, since much of a decoding step is too small to split. Memory bounds the copies. A GPU gets one copy.
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
      `The model takes about ${formatGib(modelBytes)} once it is loaded, but --memory allows ${formatGib(memoryBytes)}. Allow more memory, or use another --dtype or a smaller model.`,
    );
  }
  const affordable = Math.floor((SHARE_FOR_COPIES * boundOf(memoryBytes, machine)) / modelBytes);
  const workers = Math.max(1, Math.min(threads, affordable));
  return { workers, threadsPerWorker: Math.floor(threads / workers), threads };
}

const boundOf = (asked: number | undefined, machine: Machine): number =>
  asked ?? SHARE_OF_MEMORY * machine.memoryBytes;

/**
 * What one of a model's copies may take for what it computes, keys and values for the most part.
 * @param workers copies
 */
export function planWorkingBytes(
  modelBytes: number,
  workers: number,
  memoryBytes: number | undefined,
  machine: Machine = readMachine(),
): number {
  const least = memoryBytes === undefined ? LEAST_SHARE_TO_COMPUTE * machine.memoryBytes : 0;
  const left = boundOf(memoryBytes, machine) - workers * modelBytes;
  return Math.max(least, left) / workers;
}

function formatGib(sizeBytes: number): string {
  const size = sizeBytes / 2 ** 30;
  return `${size < 10 ? size.toPrecision(2) : Math.round(size)} GiB`;
}

/** A small file's text, or null if there is none that can be read. */
type ReadText = (path: string) => string | null;

/**
 * How many CPUs the control group of this process, or one above it, lets it keep busy: what `docker --cpus` and
 * Kubernetes limits set. Node 20 does not look at it.
 * @returns CPUs, maybe a fraction; null without a limit, and on other systems than Linux
 * @see the kernel's documentation of cgroup v2, cpu.max, and of v1, cpu.cfs_quota_us
 */
export function readCpuQuota(readText: ReadText = readTextIfThere): number | null {
  const quotas = (readText("/proc/self/cgroup") ?? "").split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    if (controllers === "") return selfAndAbove(path).map((group) => readQuota2(readText, group));
    if (!controllers.split(",").includes("cpu")) return [];
    return selfAndAbove(path).map((group) => readQuota1(readText, group));
  });
  const limits = quotas.filter((quota) => quota !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}

/** "max 100000" or "150000 100000": microseconds of CPU time in each period. */
function readQuota2(readText: ReadText, group: string): number | null {
  const [quota, period] = (readText(`${ROOT}${group}/cpu.max`) ?? "").trim().split(" ").map(Number);
  return toQuota(quota, period);
}

function readQuota1(readText: ReadText, group: string): number | null {
  const read = (name: string): number => Number(readText(`${ROOT}/cpu${group}/${name}`) ?? Number.NaN);
  return toQuota(read("cpu.cfs_quota_us"), read("cpu.cfs_period_us"));
}

/** No limit is "max" in one version, and -1 in the other. */
const toQuota = (quota = Number.NaN, period = Number.NaN): number | null =>
  quota > 0 && period > 0 ? quota / period : null;

/** "/a/b" -> "/a/b", "/a", "". A container's own group is often the root of what it sees. */
function selfAndAbove(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return Array.from({ length: parts.length + 1 }, (_, above) =>
    parts
      .slice(0, parts.length - above)
      .map((part) => `/${part}`)
      .join(""),
  );
}

const ROOT = "/sys/fs/cgroup";

function readTextIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // no such file, or none for us: then nothing is known of a limit, as on other systems
  }
}
