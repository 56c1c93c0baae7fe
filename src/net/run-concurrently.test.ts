import { expect, it } from "vitest";
import { drain } from "../checkpoint/hub/drain.ts";
import { runConcurrently } from "./run-concurrently.ts";

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
