import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { asRow, numberField } from "../formats/row-fields.ts";
import { describeProblems, readJsonl, writeJsonl } from "./jsonl.ts";
import { openJsonlAppender } from "./jsonl-appender.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-jsonl-"));
  path = join(folder, "rows.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const anything = { parse: (value: unknown): unknown => value };
const ROWS = [
  { a: 1, text: "é \u2028 🦊" },
  { a: 2, list: [0.1, -1e-300] },
  { a: 3, deep: { "}": "\n" } },
];

async function append(rows: readonly unknown[]): Promise<number> {
  await using appender = await openJsonlAppender(path);
  await appender.append(rows);
  return appender.cutBytes;
}

test("cut at every byte, a file gives its whole rows, and appending the others makes it whole again", async () => {
  await writeJsonl(path, ROWS);
  const whole = await readFile(path);
  let lineStart = 0;
  let wholeRows = 0;
  for (let length = 0; length <= whole.length; length++) {
    if (length > 0 && whole[length - 1] === 0x0a) lineStart = length;
    wholeRows = whole.subarray(0, length).filter((byte) => byte === 0x0a).length;
    if (whole[length] === 0x0a) wholeRows += 1; // only the newline is missing
    await writeFile(path, whole.subarray(0, length));

    const { rows, problems } = await readJsonl(path, anything);
    expect(rows).toEqual(ROWS.slice(0, wholeRows));
    const half = length > lineStart && whole[length] !== 0x0a && length < whole.length;
    expect(problems.map(({ line, reason }) => [line, reason])).toEqual(
      half ? [[wholeRows + 1, "partial last line: the writer was interrupted"]] : [],
    );

    expect(await append(ROWS.slice(wholeRows))).toBe(half ? length - lineStart : 0);
    expect(await readFile(path)).toEqual(whole);
  }
});

test("malformed lines are reported by number and the good ones survive", async () => {
  const lines = ['\ufeff{"a":1}\r', "", '{"a":', "[1]", '{"a":"x"}', '{"a":NaN}', '  {"a":2}'];
  await writeFile(
    path,
    Buffer.concat([Buffer.from(`${lines.join("\n")}\n{"a":"`), Buffer.from([0xff, 0x22, 0x7d, 0x0a])]),
  );
  const { rows, problems } = await readJsonl(path, {
    parse: (value, line) => [line, numberField(asRow(value), "a")],
  });
  expect(rows).toEqual([
    [1, 1],
    [7, 2],
  ]);
  expect(problems.map(({ line, reason }) => `${line} ${reason.replace(/:.*/, "")}`)).toEqual([
    "3 not JSON",
    "4 expected an object, got [1]",
    '5 "a" is "x", expected a number',
    "6 not JSON",
    "8 not UTF-8",
  ]);
  expect(problems[0]?.excerpt).toBe('{"a":');
  expect(problems[4]?.reason).toBe("not UTF-8: save the file as UTF-8");
  expect(describeProblems(problems, 1)).toMatch(/^line 3: not JSON.*; and 4 more$/);
});

test.each([
  [
    "UTF-16 with a byte order mark",
    Buffer.from('\ufeff{"a":1}\n', "utf16le"),
    "is UTF-16. Save it as UTF-8.",
  ],
  ["big-endian", Buffer.from('\ufeff{"a":1}\n', "utf16le").swap16(), "is UTF-16. Save it as UTF-8."],
  ["UTF-16 without a mark", Buffer.from('{"a":1}\n', "utf16le"), "is UTF-16. Save it as UTF-8."],
  ["gzip", gzipSync('{"a":1}\n'), "is compressed with gzip. Unpack it first."],
  ["Parquet", Buffer.from("PAR1\x15\x04"), "is a Parquet table. Export it as JSONL."],
  [
    "any binary file",
    Buffer.from("\x7fELF\x02\x01\x01\0\0\0"),
    "is binary: byte 7 is zero. Give a text file.",
  ],
])("%s is named as what it is", async (_name, bytes, what) => {
  await writeFile(path, bytes);
  await expect(readJsonl(path, { parse: (value) => value })).rejects.toMatchObject({
    code: "not-text",
    message: `${path} ${what}`,
  });
});

test("a byte order mark of UTF-8 is no part of the text, and zero bytes further on cost their line only", async () => {
  await writeFile(path, '\ufeff{"a":1}\n\0\0\0\n{"a":2}\n');
  const { rows, problems } = await readJsonl(path, { parse: (value) => value });
  expect(rows).toEqual([{ a: 1 }, { a: 2 }]);
  expect(problems).toHaveLength(1);
});

test("a last line in another encoding is not taken for a cut one, nor for what it says", async () => {
  await writeFile(path, Buffer.from('{"a":"caf\xe9"}', "latin1"));
  const { rows, problems } = await readJsonl(path, { parse: (value) => value });
  expect([rows, problems.map(({ reason }) => reason)]).toEqual([[], ["not UTF-8: save the file as UTF-8"]]);
});

test("lines longer than one read come back whole", async () => {
  const rows = [{ text: "x".repeat(3_000_000) }, { text: "y" }];
  await writeJsonl(path, rows);
  expect((await readJsonl(path, anything)).rows).toEqual(rows);
  await writeFile(path, `{"a":1}\n${"x".repeat(200_000)}`);
  expect(await append([{ a: 2 }])).toBe(200_000);
  expect((await readJsonl(path, anything)).rows).toEqual([{ a: 1 }, { a: 2 }]);
});

test("every finite float comes back as itself", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), async (values) => {
      await writeJsonl(path, [values]);
      // JSON has no negative zero; it is the one float that changes, into an equal one.
      expect((await readJsonl(path, anything)).rows).toEqual([
        values.map((value) => (value === 0 ? 0 : value)),
      ]);
    }),
    { numRuns: 50, seed: 1 },
  );
});

test("what JSON would write as something else is refused, and nothing is written", async () => {
  await writeJsonl(path, [{ a: 1 }]);
  for (const bad of [NaN, Infinity, -Infinity, new Float32Array(2), [undefined]]) {
    await expect(writeJsonl(path, [{ a: 2 }, { deep: [{ value: bad }] }])).rejects.toMatchObject({
      code: "not-json",
    });
    await expect(append([{ a: 2 }, { deep: [{ value: bad }] }])).rejects.toMatchObject({ code: "not-json" });
  }
  expect(await readFile(path, "utf8")).toBe('{"a":1}\n');
});

test("no rows", async () => {
  await expect(readJsonl(path, anything)).rejects.toMatchObject({ code: "missing-input" });
  expect(await append([])).toBe(0);
  expect((await stat(path)).size).toBe(0);
  expect(await readJsonl(path, anything)).toEqual({ rows: [], problems: [] });
});
