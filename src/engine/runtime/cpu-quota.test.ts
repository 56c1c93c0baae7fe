import { describe, expect, it } from "vitest";
import { readCpuQuota } from "./cpu-quota.ts";

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
