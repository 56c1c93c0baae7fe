import { describe, expect, it } from "vitest";
import { planThreads } from "./plan-threads.ts";

const GIB = 2 ** 30;

describe("planThreads", () => {
  it("gives a small model a copy for every thread", () => {
    expect(planThreads(0.01 * GIB, 2, 24 * GIB)).toEqual({ workers: 2, threadsPerWorker: 1 });
    expect(planThreads(0.5 * GIB, 8, 24 * GIB)).toEqual({ workers: 8, threadsPerWorker: 1 });
  });

  it("splits the threads among the copies that memory allows", () => {
    expect(planThreads(2 * GIB, 16, 24 * GIB)).toEqual({ workers: 3, threadsPerWorker: 5 });
    expect(planThreads(5 * GIB, 4, 24 * GIB)).toEqual({ workers: 1, threadsPerWorker: 4 });
  });

  it("never plans no worker or no thread", () => {
    expect(planThreads(100 * GIB, 1, 8 * GIB)).toEqual({ workers: 1, threadsPerWorker: 1 });
  });
});
