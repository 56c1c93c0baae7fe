import { describe, expect, it } from "vitest";
import { createScheduler } from "./scheduler.ts";
import {
  CellStopped,
  type Scheduler,
  type SchedulerOptions,
  type StatusChange,
} from "./scheduler-contract.ts";

type Body = (inputs: ReadonlyMap<string, unknown>, signal: AbortSignal) => unknown;

/** A cell that defines its name; `reads` are names of other cells. */
interface Spec {
  readonly name: string;
  readonly reads?: readonly string[];
  readonly body?: Body;
  readonly disabled?: boolean;
  readonly problem?: string;
  readonly version?: string;
}

/** A notebook of cells with one name each: cell i defines the i-th name. */
function open(specs: readonly Spec[], options: SchedulerOptions = {}) {
  let current = specs;
  const log: string[] = [];
  const changes = new Map<string, StatusChange>();
  let rest: () => void = () => undefined;
  const nameOf = (id: number): string => current[id - 1]?.name ?? `deleted ${id}`;
  const scheduler: Scheduler = createScheduler(
    {
      async run(id, inputs, signal) {
        const { name, body = sum } = current[id - 1] as Spec;
        log.push(name);
        return new Map([[name, await body(inputs, signal)]]);
      },
      report: (id, change) => changes.set(nameOf(id), change),
      idle: () => rest(),
      now: () => 0,
    },
    { patienceMs: 5, ...options },
  );
  const define = (next: readonly Spec[]): void => {
    current = next;
    scheduler.define(
      next.map(({ name, reads = [], disabled = false, problem = null, version = "1" }, at) => ({
        id: at + 1,
        defines: [name],
        inputs: reads,
        upstream: reads.map((read) => next.findIndex((each) => each.name === read) + 1),
        disabled,
        problem,
        version,
      })),
    );
  };
  define(specs);
  return {
    scheduler,
    define,
    changes,
    id: (name: string) => current.findIndex((each) => each.name === name) + 1,
    status: () => Object.fromEntries(current.map(({ name }, at) => [name, scheduler.statusOf(at + 1)])),
    /** Does something, waits until nothing runs, and says which cells ran. */
    async after(act: () => void): Promise<string[]> {
      log.length = 0;
      const settled = new Promise<void>((resolve) => {
        rest = resolve;
      });
      act();
      await settled;
      return [...log];
    },
    log,
  };
}

const sum: Body = (inputs) =>
  [...inputs.values()].reduce((total: number, value) => total + (value as number), 1);

const CHAIN: readonly Spec[] = [
  { name: "k", body: () => 1 },
  { name: "a", reads: ["k"] },
  { name: "b", reads: ["a"] },
  { name: "other" },
];

describe("createScheduler", () => {
  it("runs nothing unless asked, then everything in order", async () => {
    const notebook = open([...CHAIN].reverse());
    expect(notebook.log).toEqual([]);
    expect(await notebook.after(() => notebook.scheduler.runAll())).toEqual(["other", "k", "a", "b"]);
    expect(notebook.scheduler.values.get("b")).toBe(3);
  });

  it("runs what a cell needs before it, and what depends on it after it", async () => {
    const notebook = open(CHAIN);
    expect(await notebook.after(() => notebook.scheduler.run([2]))).toEqual(["k", "a", "b"]);
    expect(await notebook.after(() => notebook.scheduler.run([2]))).toEqual(["a", "b"]);
  });

  it("runs only what reads a value that was set from outside", async () => {
    const notebook = open(CHAIN);
    await notebook.after(() => notebook.scheduler.runAll());
    expect(await notebook.after(() => notebook.scheduler.setValue("k", 10))).toEqual(["a", "b"]);
    expect(notebook.scheduler.values.get("b")).toBe(12);
  });

  it("takes the last of many values", async () => {
    const notebook = open(CHAIN);
    await notebook.after(() => notebook.scheduler.runAll());
    const ran = await notebook.after(() => {
      for (let value = 0; value < 50; value += 1) notebook.scheduler.setValue("k", value);
    });
    expect(ran).toEqual(["a", "b"]);
    expect(notebook.scheduler.values.get("b")).toBe(51);
  });

  it("aborts a run whose input changes, and does not look at what it still gives", async () => {
    const signals: AbortSignal[] = [];
    const notebook = open([
      { name: "k", body: () => 1 },
      {
        name: "slow",
        reads: ["k"],
        body: async (inputs, signal) => {
          signals.push(signal);
          await new Promise((resolve) => setTimeout(resolve, inputs.get("k") === 1 ? 30 : 1));
          return inputs.get("k");
        },
      },
    ]);
    const ran = await notebook.after(() => {
      notebook.scheduler.runAll();
      setTimeout(() => notebook.scheduler.setValue("k", 2), 10);
    });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(ran).toEqual(["k", "slow", "slow"]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(notebook.scheduler.values.get("slow")).toBe(2);
  });

  it("is not wedged by a cell that never settles", async () => {
    const never: Body = () => new Promise(() => undefined);
    const notebook = open([
      { name: "stuck", body: never },
      { name: "below", reads: ["stuck"] },
      { name: "free" },
    ]);
    notebook.scheduler.runAll();
    await expect.poll(() => notebook.status()).toEqual({ stuck: "running", below: "queued", free: "done" });
    const ran = await notebook.after(() =>
      notebook.define([
        { name: "stuck", version: "2" },
        { name: "below", reads: ["stuck"] },
        { name: "free" },
      ]),
    );
    expect(ran).toEqual(["stuck", "below"]);
    expect(notebook.scheduler.values.get("below")).toBe(2);
  });

  it("gives up on interrupt, whatever the cell does", async () => {
    const notebook = open([
      { name: "stuck", body: () => new Promise(() => undefined) },
      { name: "below", reads: ["stuck"] },
    ]);
    notebook.scheduler.runAll();
    await expect.poll(() => notebook.status().stuck).toBe("running");
    await notebook.after(() => notebook.scheduler.interrupt());
    expect(notebook.status()).toEqual({ stuck: "interrupted", below: "idle" });
  });

  it("blocks what reads from a cell that fails, and recovers", async () => {
    let fails = true;
    const body: Body = () => {
      if (fails) throw new Error("no");
      return 1;
    };
    const notebook = open([
      { name: "a", body },
      { name: "b", reads: ["a"] },
      { name: "c", reads: ["b"] },
    ]);
    expect(await notebook.after(() => notebook.scheduler.runAll())).toEqual(["a"]);
    expect(notebook.status()).toEqual({ a: "error", b: "blocked", c: "blocked" });
    expect(notebook.changes.get("b")).toMatchObject({ blockedBy: 1, isCalm: false });
    fails = false;
    expect(await notebook.after(() => notebook.scheduler.run([1]))).toEqual(["a", "b", "c"]);
    fails = true;
    await notebook.after(() => notebook.scheduler.run([1]));
    expect(notebook.scheduler.values.size).toBe(0);
  });

  it("lets a cell wait, and keeps what it gave before as stale", async () => {
    let go = false;
    const body: Body = (inputs) => {
      if (!go) throw new CellStopped("Press the button.");
      return inputs.get("k");
    };
    const notebook = open([
      { name: "k", body: () => 1 },
      { name: "costly", reads: ["k"], body },
      { name: "plot", reads: ["costly"] },
      { name: "mixed", reads: ["costly", "k"] },
    ]);
    expect(await notebook.after(() => notebook.scheduler.runAll())).toEqual(["k", "costly"]);
    expect(notebook.status()).toEqual({ k: "done", costly: "waiting", plot: "blocked", mixed: "blocked" });
    expect(notebook.changes.get("plot")).toMatchObject({ isCalm: true });
    go = true;
    expect(await notebook.after(() => notebook.scheduler.run([2]))).toEqual(["costly", "plot", "mixed"]);
    go = false;
    expect(await notebook.after(() => notebook.scheduler.setValue("k", 5))).toEqual(["costly", "mixed"]);
    expect(notebook.status()).toEqual({ k: "done", costly: "stale", plot: "stale", mixed: "stale" });
    expect(notebook.scheduler.values.get("costly")).toBe(1);
    expect(notebook.scheduler.values.get("mixed")).toBe(7);
  });

  it("only marks what depends on a change when it is lazy", async () => {
    const notebook = open(CHAIN, { isLazy: true });
    await notebook.after(() => notebook.scheduler.runAll());
    expect(await notebook.after(() => notebook.scheduler.run([1]))).toEqual(["k"]);
    expect(notebook.status()).toEqual({ k: "done", a: "stale", b: "stale", other: "done" });
    expect(await notebook.after(() => notebook.scheduler.run([3]))).toEqual(["a", "b"]);
    notebook.scheduler.setValue("k", 4);
    expect(notebook.status()).toEqual({ k: "done", a: "stale", b: "stale", other: "done" });
    expect(await notebook.after(() => notebook.scheduler.runStale())).toEqual(["a", "b"]);
  });

  it("leaves out disabled cells and what depends on them", async () => {
    const notebook = open([{ name: "a", disabled: true }, { name: "b", reads: ["a"] }, { name: "c" }]);
    expect(await notebook.after(() => notebook.scheduler.runAll())).toEqual(["c"]);
    expect(notebook.status()).toEqual({ a: "disabled", b: "blocked", c: "done" });
  });

  it("does not hang on a circle", async () => {
    const notebook = open([
      { name: "a", reads: ["b"], problem: "circle" },
      { name: "b", reads: ["a"], problem: "circle" },
      { name: "c", reads: ["b"] },
    ]);
    expect(await notebook.after(() => notebook.scheduler.runAll())).toEqual([]);
    expect(notebook.status()).toEqual({ a: "error", b: "error", c: "blocked" });
  });

  it("marks what a changed definition makes stale, and forgets deleted cells", async () => {
    const notebook = open(CHAIN);
    await notebook.after(() => notebook.scheduler.runAll());
    notebook.define(CHAIN.map((spec) => (spec.name === "a" ? { ...spec, version: "2" } : spec)));
    expect(notebook.status()).toEqual({ k: "done", a: "stale", b: "stale", other: "done" });
    expect(await notebook.after(() => notebook.scheduler.runStale())).toEqual(["a", "b"]);
    notebook.define(CHAIN.slice(0, 3));
    expect(notebook.scheduler.values.has("other")).toBe(false);
  });

  it("tells a finished run when its values are not used any more", async () => {
    const signals: AbortSignal[] = [];
    const notebook = open([{ name: "a", body: (_inputs, signal) => signals.push(signal) }]);
    await notebook.after(() => notebook.scheduler.runAll());
    expect(signals[0]?.aborted).toBe(false);
    await notebook.after(() => notebook.scheduler.runAll());
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});
