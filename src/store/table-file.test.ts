import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeColumn, type TableColumn, writeTable } from "./table-file.ts";

const COLUMNS: readonly TableColumn[] = [
  makeColumn("question_id", ["a", 'say "b", c', "", null]),
  makeColumn("run_id", [0, 1, 2, -3], { isCount: true }),
  makeColumn("semantic_entropy", [0, 1, Number.NaN, 2]),
  makeColumn("share", [0.1, 1e-300, null, 123456789.125]),
  makeColumn("is_correct", [true, false, undefined, true]),
  makeColumn("nothing", [null, null, null, null]),
  makeColumn("text", ["é🦊", "two\nlines", "\u2028", "x"]),
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-table-"));
});
afterAll(() => rm(folder, { recursive: true }));

const cellsOf = (row: number): Record<string, unknown> =>
  Object.fromEntries(COLUMNS.map(({ name, cells }) => [name, cells[row]]));

test("columns know their types; a number that happens to be whole is a number", () => {
  expect(COLUMNS.map(({ type }) => type)).toEqual([
    "string",
    "integer",
    "number",
    "number",
    "boolean",
    "number",
    "string",
  ]);
  expect(() => makeColumn("mixed", ["a", 1])).toThrow(/"mixed" has string and number/);
});

test("parquet comes back through another reader", async () => {
  const path = join(folder, "t.parquet");
  await writeTable(path, COLUMNS, "parquet");
  const bytes = await readFile(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const rows = await parquetReadObjects({ file });
  expect(rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v ?? null])))).toEqual(
    [0, 1, 2, 3].map(cellsOf),
  );
});

test("jsonl keeps nulls", async () => {
  const path = join(folder, "t.jsonl");
  await writeTable(path, COLUMNS, "jsonl");
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([0, 1, 2, 3].map(cellsOf));
});

test("csv quotes what RFC 4180 says, and tells nothing from the empty text", async () => {
  const path = join(folder, "t.csv");
  await writeTable(path, COLUMNS, "csv");
  expect(await readFile(path, "utf8")).toBe(
    [
      "question_id,run_id,semantic_entropy,share,is_correct,nothing,text",
      "a,0,0,0.1,true,,é🦊",
      '"say ""b"", c",1,1,1e-300,false,,"two\nlines"',
      '"",2,,,,,\u2028',
      ",-3,2,123456789.125,true,,x",
      "",
    ].join("\n"),
  );
});
