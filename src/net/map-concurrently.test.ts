import { expect, it } from "vitest";
import { allOrNone, drain, mapConcurrently, runConcurrently } from "./map-concurrently.ts";

/** Yields `name:0`, `name:1`, … and returns the name in capitals; notes when it has ended. */
async function* count(name: string, turns: number, ended: string[]): AsyncGenerator<string, string> {
  try {
    for (let turn = 0; turn < turns; turn++) {
      await Promise.resolve();
      yield `${name}:${turn}`;
    }
    return name.toUpperCase();
  } finally {
    ended.push(name);
  }
}

it("hands on the events of all, and returns results in the items' order", async () => {
  const events: string[] = [];
  const all = runConcurrently(["a", "b", "c"], (name) => count(name, name === "a" ? 5 : 1, []), {
    concurrency: 2,
  });
  for (;;) {
    const step = await all.next();
    if (step.done) {
      expect(step.value).toEqual(["A", "B", "C"]);
      break;
    }
    events.push(step.value);
  }
  expect(events.toSorted()).toEqual(["a:0", "a:1", "a:2", "a:3", "a:4", "b:0", "c:0"]);
  expect(events.indexOf("b:0")).toBeLessThan(events.indexOf("a:4"));
});

it("never has more under way than allowed", async () => {
  let running = 0;
  let most = 0;
  async function* work(): AsyncGenerator<never, void> {
    most = Math.max(most, ++running);
    await new Promise((settle) => setTimeout(settle, 2));
    running -= 1;
  }
  await drain(runConcurrently([...Array(9).keys()], work, { concurrency: 3 }));
  expect(most).toBe(3);
});

it("ends the others, and waits for them, when one fails", async () => {
  const ended: string[] = [];
  async function* fail(): AsyncGenerator<string, string> {
    yield "soon";
    throw new Error("no");
  }
  async function* wait(signal: AbortSignal): AsyncGenerator<string, string> {
    try {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return "never";
    } finally {
      ended.push("wait");
    }
  }
  const start = (name: string, signal: AbortSignal) => (name === "fail" ? fail() : wait(signal));
  await expect(drain(runConcurrently(["wait", "fail"], start, { concurrency: 2 }))).rejects.toThrow("no");
  expect(ended).toEqual(["wait"]);
});

it("ends all when nobody wants more events", async () => {
  const ended: string[] = [];
  for await (const _ of runConcurrently(["a", "b"], (name) => count(name, 100, ended), { concurrency: 2 })) {
    break;
  }
  expect(ended.toSorted()).toEqual(["a", "b"]);
});

it("passes the caller's signal on", async () => {
  const abort = new AbortController();
  async function* wait(signal: AbortSignal): AsyncGenerator<never, void> {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
  const all = drain(
    runConcurrently([1, 2], (_, signal) => wait(signal), { concurrency: 2, signal: abort.signal }),
  );
  abort.abort(new Error("enough"));
  await expect(all).rejects.toThrow("enough");
});

const pause = (durationMs: number) => new Promise((settle) => setTimeout(settle, durationMs));

/** Waits until it is aborted, and notes that it has ended. */
async function untilAborted(signal: AbortSignal, ended: string[], name: string): Promise<never> {
  await new Promise((settle) => signal.addEventListener("abort", settle));
  await pause(2);
  ended.push(name);
  throw signal.reason;
}

it("yields results as they are ready, no more under way than allowed", async () => {
  let running = 0;
  let most = 0;
  const results: number[] = [];
  const work = async (durationMs: number): Promise<number> => {
    most = Math.max(most, ++running);
    await pause(durationMs);
    running -= 1;
    return durationMs;
  };
  for await (const result of mapConcurrently([40, 4, 2], work, { concurrency: 2 })) results.push(result);
  expect(results).toEqual([4, 2, 40]);
  expect(most).toBe(2);
});

it("begins nothing more, and waits for what is under way, when one fails", async () => {
  const ended: string[] = [];
  const begun: string[] = [];
  const work = async (name: string, signal: AbortSignal): Promise<string> => {
    begun.push(name);
    if (name !== "fail") return untilAborted(signal, ended, name);
    throw new Error("no");
  };
  const all = mapConcurrently(["wait", "fail", "late"], work, { concurrency: 2 });
  await expect(all.next()).rejects.toThrow("no");
  expect({ begun, ended }).toEqual({ begun: ["wait", "fail"], ended: ["wait"] });
});

it("aborts what is under way when nobody wants more results", async () => {
  const ended: string[] = [];
  const work = async (name: string, signal: AbortSignal): Promise<string> =>
    name === "wait" ? untilAborted(signal, ended, name) : name;
  for await (const _ of mapConcurrently(["wait", "go"], work, { concurrency: 2 })) break;
  expect(ended).toEqual(["wait"]);
});

it("returns all results in the items' order, or aborts and awaits the others", async () => {
  const later = async (durationMs: number): Promise<number> => {
    await pause(durationMs);
    return durationMs;
  };
  expect(await allOrNone([9, 1], undefined, later)).toEqual([9, 1]);
  const ended: string[] = [];
  const fail = async (name: string, signal: AbortSignal): Promise<string> => {
    if (name === "wait") return untilAborted(signal, ended, name);
    throw new Error("no");
  };
  await expect(allOrNone(["wait", "fail"], undefined, fail)).rejects.toThrow("no");
  expect(ended).toEqual(["wait"]);
  await expect(allOrNone([1], AbortSignal.abort(new Error("enough")), later)).rejects.toThrow("enough");
});
