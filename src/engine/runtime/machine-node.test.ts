import { availableParallelism, totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { planThreads, planWorkingBytes, readCpuKind, readCpuQuota, readMachine } from "./machine-node.ts";

const NO_LIMITS = { parallelism: 8, cpuQuota: null, totalBytes: 32e9, constrainedBytes: 0 };

describe("readMachine", () => {
  it("is the whole machine where nothing limits the process", () => {
    expect(readMachine(NO_LIMITS)).toEqual({ threads: 8, memoryBytes: 32e9 });
    // what libuv gives for "max"
    expect(readMachine({ ...NO_LIMITS, constrainedBytes: 2 ** 64 }).memoryBytes).toBe(32e9);
  });

  it("is what the limits leave", () => {
    expect(readMachine({ ...NO_LIMITS, cpuQuota: 2, constrainedBytes: 4e9 })).toEqual({
      threads: 2,
      memoryBytes: 4e9,
    });
    expect(readMachine({ ...NO_LIMITS, cpuQuota: 2.9 }).threads).toBe(2);
    expect(readMachine({ ...NO_LIMITS, cpuQuota: 0.5 }).threads).toBe(1);
    expect(readMachine({ ...NO_LIMITS, cpuQuota: 64 }).threads).toBe(8);
  });

  it("reads this machine", () => {
    const { threads, memoryBytes } = readMachine();
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(threads).toBeLessThanOrEqual(availableParallelism());
    expect(memoryBytes).toBeGreaterThan(1e8);
    expect(memoryBytes).toBeLessThanOrEqual(totalmem());
  });
});

describe("readCpuKind", () => {
  it("has the instruction sets that matrix products use, as Linux lists them", () => {
    const x86 = "processor\t: 0\nflags\t\t: fpu avx avx2 fma avx512f avx512_vnni amx_int8 hypervisor\n";
    const arm = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n";
    const read = (text: string | null) => readCpuKind({ threads: 2 }, () => text);
    expect(read(x86)).toMatchObject({
      threads: 2,
      instructionSets: ["avx", "avx2", "fma", "avx512f", "avx512_vnni", "amx_int8"],
    });
    expect(read(arm).instructionSets).toEqual(["asimd", "asimddp", "i8mm"]);
    expect(read(null).instructionSets).toEqual([]);
  });

  it("is the same from one call to the next", () => {
    expect(readCpuKind()).toEqual(readCpuKind());
    expect(readCpuKind().name).not.toBe("");
  });
});

const GIB = 2 ** 30;
const machine = (threads: number, memory: number) => ({ threads, memoryBytes: memory * GIB });
const CPU = { device: "cpu" } as const;

describe("planThreads", () => {
  it("gives a small model a copy for every thread", () => {
    const both = { workers: 2, threadsPerWorker: 1, threads: 2 };
    expect(planThreads(0.01 * GIB, CPU, machine(2, 24))).toEqual(both);
    expect(planThreads(0.5 * GIB, CPU, machine(8, 24))).toMatchObject({ workers: 8, threadsPerWorker: 1 });
  });

  it("splits the threads among the copies that a quarter of the memory holds", () => {
    expect(planThreads(2 * GIB, CPU, machine(16, 24))).toMatchObject({ workers: 3, threadsPerWorker: 5 });
    expect(planThreads(5 * GIB, CPU, machine(4, 24))).toMatchObject({ workers: 1, threadsPerWorker: 4 });
  });

  it("never plans no worker or no thread", () => {
    expect(planThreads(100 * GIB, CPU, machine(1, 8))).toMatchObject({ workers: 1, threadsPerWorker: 1 });
  });

  it("keeps to the threads and the memory that are asked for", () => {
    const asked = { ...CPU, threads: 6, memoryBytes: 4 * GIB };
    // half of what is asked for is for what the copies compute
    const expected = { workers: 2, threadsPerWorker: 3, threads: 6 };
    expect(planThreads(1 * GIB, asked, machine(16, 1000))).toEqual(expected);
    expect(planThreads(1.1 * GIB, asked, machine(16, 1000))).toMatchObject({ workers: 1 });
    // more than a quarter of the memory, if that is what is asked for
    expect(planThreads(1 * GIB, asked, machine(16, 3))).toMatchObject({ workers: 2 });
    expect(planThreads(4 * GIB, asked, machine(16, 5))).toMatchObject({ workers: 1 });
  });

  it("refuses a bound that not even one copy keeps", () => {
    expect(() => planThreads(4.26 * GIB, { ...CPU, memoryBytes: 2 * GIB }, machine(2, 24))).toThrow(
      expect.objectContaining({
        code: "model-too-large",
        message: expect.stringContaining(
          "takes about 4.3 GiB once it is loaded, but --memory allows 2.0 GiB",
        ),
      }),
    );
  });

  it("shares out what the copies leave", () => {
    expect(planWorkingBytes(2 * GIB, 2, 9 * GIB, machine(2, 24))).toBe(2.5 * GIB);
    expect(planWorkingBytes(2 * GIB, 1, 2 * GIB, machine(2, 24))).toBe(0);
    // half of the memory without a bound, and an eighth beside a large model
    expect(planWorkingBytes(GIB, 2, undefined, machine(2, 24))).toBe(5 * GIB);
    expect(planWorkingBytes(10 * GIB, 1, undefined, machine(2, 24))).toBe(3 * GIB);
  });

  it.each([
    [0.0108, 0.001, "about 0.011 GiB once it is loaded, but --memory allows 0.0010 GiB"],
    [131, 16, "about 131 GiB once it is loaded, but --memory allows 16 GiB"],
  ])("writes %d and %d GiB as one reads them", (size, bound, message) => {
    const plan = () => planThreads(size * GIB, { ...CPU, memoryBytes: bound * GIB }, machine(2, 24));
    expect(plan).toThrow(message);
  });

  it("runs one copy on a GPU, whose memory is not the machine's", () => {
    const asked = { device: "cuda", memoryBytes: GIB } as const;
    expect(planThreads(2 * GIB, asked, machine(16, 24))).toEqual({
      workers: 1,
      threadsPerWorker: 16,
      threads: 16,
    });
  });
});

const quotaOf = (files: Readonly<Record<string, string>>): number | null =>
  readCpuQuota((path) => files[path] ?? null);

describe("readCpuQuota", () => {
  it("is none outside of a control group", () => {
    expect(quotaOf({})).toBeNull();
    expect(quotaOf({ "/proc/self/cgroup": "0::/\n" })).toBeNull();
  });

  it("reads the container's own group", () => {
    const self = { "/proc/self/cgroup": "0::/\n" };
    expect(quotaOf({ ...self, "/sys/fs/cgroup/cpu.max": "150000 100000\n" })).toBe(1.5);
    expect(quotaOf({ ...self, "/sys/fs/cgroup/cpu.max": "max 100000\n" })).toBeNull();
  });

  it("takes the smallest of the groups above", () => {
    const self = { "/proc/self/cgroup": "0::/system.slice/sep.service\n" };
    const [own, above] = [
      "/sys/fs/cgroup/system.slice/sep.service/cpu.max",
      "/sys/fs/cgroup/system.slice/cpu.max",
    ];
    expect(quotaOf({ ...self, [own]: "max 100000", [above]: "400000 100000" })).toBe(4);
    expect(quotaOf({ ...self, [own]: "200000 100000", [above]: "400000 100000" })).toBe(2);
    expect(quotaOf({ ...self, [own]: "800000 100000", [above]: "400000 100000" })).toBe(4);
  });

  it("reads version 1, whose container sees its group as the root", () => {
    const self = { "/proc/self/cgroup": "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n" };
    const quota = (micros: string) => ({
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": micros,
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    });
    expect(quotaOf({ ...self, ...quota("300000\n") })).toBe(3);
    expect(quotaOf({ ...self, ...quota("-1\n") })).toBeNull();
    expect(quotaOf({ "/proc/self/cgroup": "5:memory:/\n4:cpuset:/\n", ...quota("300000") })).toBeNull();
  });

  it("makes nothing of files that say nothing", () => {
    const self = { "/proc/self/cgroup": "0::/\n" };
    for (const text of ["", "\n", "x y", "0 0", "100000"])
      expect(quotaOf({ ...self, "/sys/fs/cgroup/cpu.max": text }), text).toBeNull();
  });
});
