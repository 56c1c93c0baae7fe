import { execFile } from "node:child_process";
import { appendFile, mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSharedLog } from "./append-jsonl.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-log-"));
  path = join(folder, "log.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a reader sees what others add, each row once", async () => {
  const [writer, reader] = [createSharedLog(path), createSharedLog(path)];
  expect(await reader.readNew()).toEqual([]);
  await writer.append([]);
  await writer.append([["a", 0.1], { b: "ü\n" }]);
  expect(await reader.readNew()).toEqual([["a", 0.1], { b: "ü\n" }]);
  expect(await reader.readNew()).toEqual([]);
  await writer.append([3]);
  expect(await reader.readNew()).toEqual([3]);
  expect(await writer.readNew()).toEqual([["a", 0.1], { b: "ü\n" }, 3]);
});

test("a half line is waited for, and passed over once something stands behind it", async () => {
  const log = createSharedLog(path);
  await log.append([1]);
  await appendFile(path, '["half", 0.');
  expect(await log.readNew()).toEqual([1]);
  await appendFile(path, "5]\n");
  expect(await log.readNew()).toEqual([["half", 0.5]]);
  await appendFile(path, '["killed", 0.');
  await log.append([2]);
  expect(await log.readNew()).toEqual([2]);
});

test("a file that shrinks, and lines that are no JSON, are no obstacle", async () => {
  const log = createSharedLog(path);
  await appendFile(path, "\0\0\0\nnonsense\n[4]\n");
  expect(await log.readNew()).toEqual([[4]]);
  await truncate(path, 0);
  expect(await log.readNew()).toEqual([]);
});

test("processes that write at the same time lose nothing", async () => {
  const module = fileURLToPath(new URL("../../dist/store/append-jsonl.js", import.meta.url));
  const script = `
    const { createSharedLog } = await import(${JSON.stringify(module)});
    const log = createSharedLog(process.argv[1]);
    for (let i = 0; i < 100; i++) await log.append([[process.argv[2], i, "x".repeat(i * 7)]]);
  `;
  const run = promisify(execFile);
  const writers = ["a", "b", "c", "d"];
  await Promise.all(
    writers.map((name) => run(process.execPath, ["--input-type=module", "-e", script, path, name])),
  );
  const rows = (await createSharedLog(path).readNew()) as [string, number, string][];
  for (const writer of writers) {
    const own = rows.filter(([name]) => name === writer);
    expect(own.map(([, index]) => index)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(own.every(([, index, text]) => text.length === index * 7)).toBe(true);
  }
});
