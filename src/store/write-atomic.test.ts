import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeLeftovers, writeAtomic } from "./write-atomic.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-atomic-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a writer that fails leaves the old file and nothing else", async () => {
  const path = join(folder, "runs.jsonl");
  await writeAtomic(path, "old");
  const failing = writeAtomic(path, async (file) => {
    await file.write("half of the n");
    throw new Error("stopped");
  });
  await expect(failing).rejects.toThrow("stopped");
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(folder)).toEqual(["runs.jsonl"]);
});

test("leftovers of killed writers go, and everything else stays", async () => {
  const others = [
    "runs.jsonl",
    "runs.jsonl.manifest.json",
    "runs.jsonl.partial",
    "runs.jsonl.lock.0123456789abcdef.tmp", // somebody is taking the lock
    "other.jsonl.0123456789ab.tmp",
    "runs.jsonl.mine.tmp",
  ];
  const leftovers = [
    "runs.jsonl.0123456789ab.tmp",
    "runs.jsonl.manifest.json.0123456789ab.tmp",
    "runs.jsonl.partial.settings.json.ffffffffffff.tmp",
  ];
  for (const name of [...others, ...leftovers]) await writeFile(join(folder, name), name);
  await removeLeftovers(join(folder, "runs.jsonl"));
  expect((await readdir(folder)).sort()).toEqual([...others].sort());
  await removeLeftovers(join(folder, "no", "such", "folder"));
});
