import { describe, expect, it } from "vitest";
import { planThreads } from "./plan-threads.ts";

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
    expect(planThreads(2 * GIB, asked, machine(16, 1000))).toEqual({
      workers: 2,
      threadsPerWorker: 3,
      threads: 6,
    });
    // more than a quarter, if that is what is asked for
    expect(planThreads(2 * GIB, asked, machine(16, 5))).toMatchObject({ workers: 2 });
    expect(planThreads(4 * GIB, asked, machine(16, 5))).toMatchObject({ workers: 1 });
  });

  it("refuses a bound that not even one copy keeps", () => {
    expect(() => planThreads(4.26 * GIB, { ...CPU, memoryBytes: 2 * GIB }, machine(2, 24))).toThrow(
      expect.objectContaining({
        code: "model-too-large",
        message: expect.stringContaining(
          "takes about 4.3 GiB once it is loaded, and --memory allows 2.0 GiB",
        ),
      }),
    );
  });

  it.each([
    [0.0108, 0.001, "about 0.011 GiB once it is loaded, and --memory allows 0.0010 GiB"],
    [131, 16, "about 131 GiB once it is loaded, and --memory allows 16 GiB"],
  ])("writes %d and %d GiB as one reads them", (size, bound, message) => {
    const plan = () => planThreads(size * GIB, { ...CPU, memoryBytes: bound * GIB }, machine(2, 24));
    expect(plan).toThrow(message);
  });

  it("runs one copy on a graphics card, whose memory is not the machine's", () => {
    const asked = { device: "cuda", memoryBytes: GIB } as const;
    expect(planThreads(2 * GIB, asked, machine(16, 24))).toEqual({
      workers: 1,
      threadsPerWorker: 16,
      threads: 16,
    });
  });
});
