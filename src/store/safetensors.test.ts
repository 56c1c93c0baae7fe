import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { layoutSafetensors } from "../formats/encode-safetensors.ts";
import type { TensorEntry } from "../formats/safetensors.ts";
import { readSafetensorsHeader, readTensor, readTensorRows, writeSafetensors } from "./safetensors.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-safetensors-"));
  path = join(folder, "x.safetensors");
});
afterEach(() => rm(folder, { recursive: true }));

const entryOf = async (name: string): Promise<TensorEntry> =>
  (await readSafetensorsHeader(path)).tensors.get(name) as TensorEntry;

test("what is written is read back, narrower types last and every tensor aligned", async () => {
  const values = Float32Array.of(1, -2, 0.5, 65504, -0, 2 ** -24);
  await writeSafetensors(
    path,
    [
      { name: "bytes", dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 255) },
      { name: "half", dtype: "F16", shape: [2, 3], data: values },
      { name: "brain", dtype: "BF16", shape: [3], data: Float32Array.of(1, -2, 0.5) },
      { name: "ids", dtype: "I64", shape: [2], data: BigInt64Array.of(-5n, 16777216n) },
      { name: "full", dtype: "F32", shape: [3, 2], data: values },
      { name: "none", dtype: "F32", shape: [0, 7], data: new Float32Array(0) },
      { name: "one", dtype: "F64", shape: [], data: Float64Array.of(0.25) },
    ],
    { z: "last", a: "first" },
  );
  const { tensors, metadata, fileSizeBytes } = await readSafetensorsHeader(path);
  expect(metadata).toEqual({ a: "first", z: "last" });
  expect(fileSizeBytes).toBe((await readFile(path)).length);
  const read: Record<string, number[]> = {};
  const width: Record<string, number> = { F64: 8, I64: 8, F32: 4, F16: 2, BF16: 2, U8: 1 };
  for (const [name, entry] of tensors) {
    expect(entry.begin % (width[entry.dtype] as number)).toBe(0);
    read[name] = [...(await readTensor(path, entry))];
  }
  expect(read).toEqual({
    bytes: [1, 2, 255],
    half: [...values],
    brain: [1, -2, 0.5],
    ids: [-5, 16777216],
    full: [...values],
    none: [],
    one: [0.25],
  });
});

test("equal content gives equal bytes, in the exact form of the format", async () => {
  await writeSafetensors(path, [{ name: "w", dtype: "F32", shape: [1], data: Float32Array.of(1) }], {
    b: "2",
    a: "1",
  });
  const json = '{"__metadata__":{"a":"1","b":"2"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const length = Math.ceil(json.length / 8) * 8;
  const expected = Buffer.concat([
    Buffer.from([length, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from(json.padEnd(length)),
    Buffer.from([0, 0, 0x80, 0x3f]),
  ]);
  expect(await readFile(path)).toEqual(expected);
});

test("rows are read in the order asked for, whatever they are", async () => {
  const [n, d] = [9, 5];
  const data = Float32Array.from({ length: n * d }, (_, i) => i);
  await writeSafetensors(path, [
    { name: "first", dtype: "F32", shape: [1], data: Float32Array.of(-1) },
    { name: "x", dtype: "F16", shape: [n, 1, d], data },
  ]);
  const entry = await entryOf("x");
  const row = fc.integer({ min: 0, max: n - 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(row), async (rows) => {
      const expected = rows.flatMap((at) => [...data.subarray(at * d, (at + 1) * d)]);
      expect([...(await readTensorRows(path, entry, rows))]).toEqual(expected);
    }),
    { numRuns: 60, seed: 1, examples: [[[3, 4, 5, 5, 6, 0, 8]], [[]]] },
  );
  await expect(readTensorRows(path, entry, [n])).rejects.toThrow(/row 9 of a tensor with 9 rows/);
  await expect(readTensorRows(path, entry, [0.5])).rejects.toThrow(RangeError);
});

test("a laid out file can be filled in row by row", async () => {
  const { header, entries, totalBytes } = layoutSafetensors([
    { name: "a", dtype: "F32", shape: [2, 2] },
    { name: "b", dtype: "F32", shape: [3] },
  ]);
  const file = await open(path, "w");
  await file.truncate(totalBytes);
  await file.write(header, 0, header.length, 0);
  const second = (entries.get("a") as TensorEntry).begin + 2 * 4;
  await file.write(Buffer.from(Float32Array.of(7, 8).buffer), 0, 8, second);
  await file.close();
  expect((await readSafetensorsHeader(path)).tensors).toEqual(entries);
  expect([...(await readTensor(path, await entryOf("a")))]).toEqual([0, 0, 7, 8]);
  expect([...(await readTensor(path, await entryOf("b")))]).toEqual([0, 0, 0]);
});

test.each([
  ["beyond the range of F16", "F16", Float32Array.of(1, 65520)],
  ["beyond the range of BF16", "BF16", Float32Array.of(3.4e38)],
  ["Cannot write a Float64Array as F32", "F32", Float64Array.of(1)],
  ["has 8 bytes of values, and F32 [1] takes 4", "F32", Float32Array.of(1, 2)],
] as const)("refused: %s", async (message, dtype, data) => {
  const writing = writeSafetensors(path, [{ name: "w", dtype, shape: [1], data }]);
  await expect(writing).rejects.toMatchObject({
    code: "bad-artifact",
    message: expect.stringContaining(message),
  });
});

test("an infinity is one in every type", async () => {
  const data = Float32Array.of(Infinity, -Infinity, NaN);
  await writeSafetensors(path, [{ name: "w", dtype: "F16", shape: [3], data }]);
  expect([...(await readTensor(path, await entryOf("w")))]).toEqual([...data]);
});

test("numbers that a Float32 cannot hold are refused, and so are 8-bit floats", async () => {
  await writeSafetensors(path, [{ name: "w", dtype: "I64", shape: [1], data: BigInt64Array.of(16777217n) }]);
  await expect(readTensor(path, await entryOf("w"))).rejects.toThrow(/16777217 \(I64\) is not exact/);
  const json = '{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'.padEnd(64);
  await writeFile(path, Buffer.concat([Buffer.from([64, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(`${json}x`)]));
  await expect(readTensor(path, await entryOf("w"))).rejects.toThrow(/F8_E4M3 tensors are not read/);
});

test("names that cannot stand in a file are refused", () => {
  const spec = { dtype: "F32", shape: [1] } as const;
  expect(() =>
    layoutSafetensors([
      { name: "a", ...spec },
      { name: "a", ...spec },
    ]),
  ).toThrow(/tensor "a"/);
  expect(() => layoutSafetensors([{ name: "__metadata__", ...spec }])).toThrow(/__metadata__/);
  expect(() => layoutSafetensors([{ name: "a", dtype: "F32", shape: [1.5] }])).toThrow(/shape \[1.5\]/);
});

async function writeRaw(json: string | Uint8Array, dataBytes: number, claimed?: bigint): Promise<void> {
  const text = Buffer.from(json as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(text.length));
  await writeFile(path, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
}

const tensor = (dtype: unknown, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

test("a whole file is read, tensors in the order of their bytes", async () => {
  const json = `{"b":${tensor("I8", [2, 2], [4, 8])},"__metadata__":{"k":"v"},"a":${tensor("F32", [], [0, 4])}}  `;
  await writeRaw(json, 8);
  const { tensors, metadata } = await readSafetensorsHeader(path);
  const dataBegin = 8 + json.length;
  expect([...tensors]).toEqual([
    ["a", { dtype: "F32", shape: [], begin: dataBegin, end: dataBegin + 4 }],
    ["b", { dtype: "I8", shape: [2, 2], begin: dataBegin + 4, end: dataBegin + 8 }],
  ]);
  expect(metadata).toEqual({ k: "v" });
});

test.each<[reason: RegExp, json: string, dataBytes: number]>([
  [/header is not JSON/, "{", 0],
  [/not a JSON object/, "[]", 0],
  [/"a" is not described by an object/, '{"a":3}', 0],
  [/has "a" twice/, `{"a":${tensor("F32", [1], [0, 4])},"a":${tensor("F32", [1], [0, 4])}}`, 4],
  [/has "shape" twice/, '{"a":{"dtype":"F32","shape":[9],"shape":[1],"data_offsets":[0,4]}}', 4],
  [/dtype "F31", expected one of F64 F32/, `{"a":${tensor("F31", [1], [0, 4])}}`, 4],
  [/dtype "constructor"/, `{"a":${tensor("constructor", [1], [0, 4])}}`, 4],
  [/shape \[-1\]/, `{"a":${tensor("F32", [-1], [0, 4])}}`, 4],
  [/shape \[1.5\]/, `{"a":${tensor("F32", [1.5], [0, 6])}}`, 6],
  [/shape "1"/, `{"a":${tensor("F32", "1", [0, 4])}}`, 4],
  [/data_offsets \[0\]/, `{"a":${tensor("F32", [1], [0])}}`, 4],
  [/data_offsets \[-4,0\]/, `{"a":${tensor("F32", [1], [-4, 0])}}`, 4],
  [/bytes 4 to 0 of 4/, `{"a":${tensor("F32", [1], [4, 0])}}`, 4],
  [/bytes 0 to 8 of 4/, `{"a":${tensor("F32", [2], [0, 8])}}`, 4],
  [/"a" has 4 bytes, and F32 \[2\] takes 8/, `{"a":${tensor("F32", [2], [0, 4])}}`, 4],
  [/and F32 \[1099511627776,1099511627776\] takes/, `{"a":${tensor("F32", [2 ** 40, 2 ** 40], [0, 0])}}`, 0],
  [/begins at byte \d+ where the tensor before it ends/, `{"a":${tensor("F32", [1], [4, 8])}}`, 8],
  [/"b" begins/, `{"a":${tensor("F32", [1], [0, 4])},"b":${tensor("F32", [1], [2, 6])}}`, 6],
  [/tensors end at byte \d+ of \d+/, `{"a":${tensor("F32", [1], [0, 4])}}`, 5],
  [/__metadata__ must map names to strings/, '{"__metadata__":{"a":1}}', 0],
])("refused: %s", async (reason, json, dataBytes) => {
  await writeRaw(json, dataBytes);
  await expect(readSafetensorsHeader(path)).rejects.toMatchObject({
    code: "bad-artifact",
    message: expect.stringMatching(reason),
  });
});

test("the header's own length is held against the file and the format's limit", async () => {
  await writeRaw("{}", 0, 3n);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(/claims 3 bytes of the file's 10/);
  await writeRaw("{}", 0, 2n ** 63n);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(
    /claims 9223372036854775808 bytes, at most 8000000/,
  );
  await writeFile(path, "1234567");
  await expect(readSafetensorsHeader(path)).rejects.toThrow(/7 bytes/);
  await writeRaw(Uint8Array.of(0x7b, 0xff, 0x7d), 0);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(/not UTF-8/);
});

test("the caller names the error", async () => {
  await writeRaw("{", 0);
  const reading = readSafetensorsHeader(path, { code: "bad-checkpoint" });
  await expect(reading).rejects.toMatchObject({ code: "bad-checkpoint" });
});
