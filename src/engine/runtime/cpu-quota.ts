import { readFileSync } from "node:fs";

/** A small file's text, or null where there is none that can be read. */
export type ReadText = (path: string) => string | null;

/**
 * How many processors the control group of this process, or one above it, lets it keep busy: what `docker --cpus` and
 * Kubernetes limits set. Node 20 does not look at it.
 * @returns processors, maybe a fraction; null without a limit, and on other systems than Linux
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

/** "max 100000" or "150000 100000": microseconds of processor time in each period. */
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
