import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "./lock.ts";
import { isProcessAlive, readProcessStart } from "./process-identity.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

const lockPath = (): string => join(folder, "runs.jsonl.lock");

const startChild = (): ChildProcess =>
  spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });

const killAndWait = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });

async function writeLockOf(pid: number, changes: object = {}): Promise<void> {
  const startedAt = await readProcessStart(pid);
  const owner = { pid, hostname: hostname(), startedAt, nonce: "0123456789abcdef", ...changes };
  await writeFile(lockPath(), JSON.stringify(owner));
}

test("a held lock is refused, a released one is free, and nothing is left behind", async () => {
  {
    await using _lock = await acquireLock(lockPath());
    await expect(acquireLock(lockPath())).rejects.toMatchObject({
      code: "output-locked",
      message: expect.stringMatching(new RegExp(`runs\\.jsonl\\.lock is held by process ${process.pid}`)),
    });
  }
  expect(await readdir(folder)).toEqual([]);
  await using _again = await acquireLock(lockPath());
  expect(await readdir(folder)).toEqual(["runs.jsonl.lock"]);
});

test("a lock of a living process is refused, and taken over once that process is killed", async () => {
  const child = startChild();
  const pid = child.pid as number;
  await writeLockOf(pid);
  await expect(acquireLock(lockPath())).rejects.toThrow(`process ${pid}, which is still running`);
  await killAndWait(child);
  await using _lock = await acquireLock(lockPath());
  expect(JSON.parse(await readFile(lockPath(), "utf8"))).toMatchObject({ pid: process.pid });
  expect(await readdir(folder)).toEqual(["runs.jsonl.lock"]);
});

test("of many that try to take over a dead lock, one gets it", async () => {
  const child = startChild();
  await writeLockOf(child.pid as number);
  await killAndWait(child);
  const outcomes = await Promise.allSettled(Array.from({ length: 25 }, () => acquireLock(lockPath())));
  const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
  expect(won).toHaveLength(1);
  for (const outcome of outcomes)
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "output-locked" });
  await won[0]?.value[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);
});

test("a killed takeover does not block the next one", async () => {
  const child = startChild();
  await writeLockOf(child.pid as number);
  const claim = await readFile(lockPath(), "utf8");
  await writeFile(`${lockPath()}.0123456789abcdef`, claim.replace("0123456789abcdef", "fedcba9876543210"));
  await killAndWait(child);
  await using _lock = await acquireLock(lockPath());
  expect(JSON.parse(await readFile(lockPath(), "utf8"))).toMatchObject({ pid: process.pid });
});

test.skipIf(process.platform !== "linux")("a process id that was given out anew does not hold", async () => {
  await writeLockOf(process.pid, { startedAt: "some-boot:1" });
  await using _lock = await acquireLock(lockPath());
  expect((await readFile(lockPath(), "utf8")).includes("some-boot:1")).toBe(false);
});

test("another machine's lock is refused with what to do", async () => {
  await writeLockOf(1, { hostname: "elsewhere" });
  await expect(acquireLock(lockPath())).rejects.toThrow(/process 1 on elsewhere.*delete that file/);
});

test("a lock file that is none is refused, not overwritten", async () => {
  for (const text of [
    "",
    "{",
    "null",
    '{"pid": 1}',
    '{"pid":1,"hostname":"h","startedAt":null,"nonce":"../x"}',
  ]) {
    await writeFile(lockPath(), text);
    await expect(acquireLock(lockPath())).rejects.toMatchObject({ code: "output-locked" });
    expect(await readFile(lockPath(), "utf8")).toBe(text);
  }
});

test("a lock that someone else took meanwhile is not removed on release", async () => {
  const lock = await acquireLock(lockPath());
  await writeLockOf(1);
  await lock[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual(["runs.jsonl.lock"]);
});

test("this process is alive under its own start only", async () => {
  const start = await readProcessStart(process.pid);
  expect(await isProcessAlive(process.pid, start)).toBe(true);
  expect(await isProcessAlive(process.pid, null)).toBe(true);
});

test("what was left by processes that were killed while they took the lock goes; the living are not disturbed", async () => {
  const dead = startChild();
  const living = startChild();
  const [deadPid, livingPid] = [dead.pid as number, living.pid as number];
  const start = await readProcessStart(deadPid);
  await killAndWait(dead);
  const nonce = "00112233445566ff";
  await writeFile(`${lockPath()}.${deadPid}.${nonce}.tmp`, "");
  await writeFile(
    `${lockPath()}.${nonce}`,
    JSON.stringify({ pid: deadPid, hostname: hostname(), startedAt: start, nonce }),
  );
  await writeFile(`${lockPath()}.${livingPid}.${nonce}.tmp`, "");
  await using _lock = await acquireLock(lockPath());
  expect((await readdir(folder)).sort()).toEqual([
    "runs.jsonl.lock",
    `runs.jsonl.lock.${livingPid}.${nonce}.tmp`,
  ]);
  await killAndWait(living);
});
