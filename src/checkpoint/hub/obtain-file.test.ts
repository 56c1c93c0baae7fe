import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { drain } from "../../net/map-concurrently.ts";
import { acquireLock } from "../../store/lock.ts";
import { openHub } from "./hub.ts";
import { waitForLock } from "./obtain-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("waits while the holder's download grows, and gives up when it does not", { tags: ["long"] }, async () => {
  const lock = join(folder, "lock");
  const growing = join(folder, "growing");
  await using _held = await acquireLock(lock);
  let polls = 0;
  const hub = await openHub({
    env: {},
    async sleep() {
      polls += 1;
      if (polls <= 1000) await appendFile(growing, "x");
    },
  });
  await expect(drain(waitForLock(hub, lock, growing, "file"))).rejects.toMatchObject({
    code: "output-locked",
  });
  expect(polls).toBeGreaterThan(1100);
  expect(polls).toBeLessThan(1300);
});

it("says once that it waits, and gets the lock when it is free", async () => {
  const lock = join(folder, "lock");
  const held = await acquireLock(lock);
  let polls = 0;
  const hub = await openHub({
    env: {},
    async sleep() {
      polls += 1;
      if (polls === 5) await held[Symbol.asyncDispose]();
    },
  });
  const waiting = waitForLock(hub, lock, join(folder, "growing"), "model.safetensors");
  expect(await waiting.next()).toEqual({
    done: false,
    value: { kind: "note", message: "model.safetensors: waiting for a download that is already running" },
  });
  const got = await waiting.next();
  expect({ done: got.done, polls }).toEqual({ done: true, polls: 5 });
  if (got.done) await got.value[Symbol.asyncDispose]();
});

it("stops waiting when the work is aborted", async () => {
  const lock = join(folder, "lock");
  await using _held = await acquireLock(lock);
  const abort = new AbortController();
  const hub = await openHub({ env: {}, sleep: async () => abort.abort(new Error("enough")) });
  await expect(drain(waitForLock(hub, lock, lock, "file", abort.signal))).rejects.toThrow("enough");
});
