import { expect, it } from "vitest";
import type { Progress } from "../wire.ts";
import { trackProgress } from "./track-progress.ts";

function host(signal: AbortSignal = new AbortController().signal) {
  const shown: Progress[] = [];
  let nowMs = 0;
  return { shown, signal, now: () => (nowMs += 10), show: (progress: Progress) => shown.push(progress) };
}

it("counts the items of a list and hands them on", async () => {
  const seen = host();
  const items: number[] = [];
  for await (const item of trackProgress<number, void>([1, 2, 3], seen, { label: "Work" })) items.push(item);
  expect(items).toEqual([1, 2, 3]);
  expect(seen.shown.map(({ done, total, isFinished }) => [done, total, isFinished])).toEqual([
    [0, 3, false],
    [1, 3, false],
    [2, 3, false],
    [3, 3, false],
    [3, 3, true],
  ]);
});

it("follows the events of a step, and gives its result when it is awaited", async () => {
  const seen = host();
  async function* step() {
    const event = { step: "generate", part: "math" };
    yield { kind: "started", ...event, done: 2, total: 4 };
    yield { kind: "note", ...event, message: "said" };
    yield { kind: "warning", ...event, warning: { code: "x", message: "beware" } };
    yield { kind: "advanced", ...event, done: 3, total: 4, detail: "more" };
    return "result";
  }
  expect(await trackProgress(step(), seen)).toBe("result");
  expect(seen.shown.at(-1)).toMatchObject({
    label: "generate math",
    done: 3,
    total: 4,
    messages: [
      { level: "note", text: "said" },
      { level: "warning", text: "beware" },
    ],
    isFinished: true,
  });
});

it("closes the work when the cell is not wanted any more", async () => {
  const controller = new AbortController();
  let isClosed = false;
  async function* endless() {
    try {
      for (;;) yield 1;
    } finally {
      isClosed = true;
    }
  }
  const work = trackProgress(endless(), host(controller.signal));
  const ended = (async () => {
    for await (const _item of work) controller.abort(new Error("not wanted"));
  })();
  await expect(ended).rejects.toThrow("not wanted");
  expect(isClosed).toBe(true);
});
