import { availableParallelism, totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { readMachine } from "./machine.ts";

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
