import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeNpy, encodeNpy, type NpyArray, npyNumbers } from "../formats/npy.ts";
import { encodeZip, openZip } from "../formats/zip.ts";
import { readNpz, writeNpz } from "./array-file.ts";

const golden = (name: string): string => fileURLToPath(new URL(`../../test/golden/${name}`, import.meta.url));

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-npz-"));
  path = join(folder, "x.npz");
});
afterEach(() => rm(folder, { recursive: true }));

test.each(["numpy.npz", "numpy-compressed.npz"])("%s, written by numpy, is read", async (name) => {
  const { numpy_version, fortran, ...arrays } = await readNpz(golden(name));
  expect(numpy_version?.data[0]).toMatch(/^\d+\.\d+/);
  expect(fortran?.shape).toEqual([2, 3, 4]);
  expect([...npyNumbers(fortran as NpyArray)]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  expect({ ...arrays }).toEqual({
    f4: { dtype: "f4", shape: [2, 3], data: Float32Array.of(0.5, -1.25, 3e-39, Infinity, -0, 1e38) },
    f8: { dtype: "f8", shape: [3], data: Float64Array.of(0.1, NaN, -1e300) },
    i4: { dtype: "i4", shape: [2, 1], data: Int32Array.of(-1, 2 ** 31 - 1) },
    i8: { dtype: "i8", shape: [3], data: BigInt64Array.of(-(2n ** 53n) + 1n, 0n, 2n ** 53n - 1n) },
    u1: { dtype: "u1", shape: [2], data: Uint8Array.of(0, 255) },
    b1: { dtype: "b1", shape: [3], data: Uint8Array.of(1, 0, 1) },
    text: { dtype: "U", shape: [3], data: ["gsm8k-0001", "", "é🦊 \\n"] },
    scalar: { dtype: "f8", shape: [], data: Float64Array.of(7.5) },
    empty: { dtype: "f4", shape: [0, 5], data: new Float32Array(0) },
  });
});

test("what numpy wrote comes out of our writer byte for byte, array by array", async () => {
  const theirs = openZip(await readFile(golden("numpy.npz")));
  for (const [name, unpack] of theirs)
    if (name !== "fortran.npy")
      expect(Buffer.from(encodeNpy(decodeNpy(unpack())))).toEqual(Buffer.from(unpack()));
  expect(theirs.size).toBe(11);
});

test("any arrays come back, and equal ones give equal bytes", async () => {
  const text = fc.string({ unit: "binary" }).filter((value) => !value.endsWith("\0"));
  const data = fc.record({ floats: fc.float32Array(), texts: fc.array(text), ids: fc.bigInt64Array() });
  await fc.assert(
    fc.asyncProperty(data, async ({ floats, texts, ids }) => {
      const arrays: Record<string, NpyArray> = {
        X_hidden: { dtype: "f4", shape: [floats.length, 1], data: floats },
        question_ids: { dtype: "U", shape: [texts.length], data: texts },
        run_ids: { dtype: "i8", shape: [ids.length], data: ids },
      };
      await writeNpz(path, arrays);
      const first = await readFile(path);
      expect({ ...(await readNpz(path)) }).toEqual(arrays);
      await writeNpz(path, arrays);
      expect(await readFile(path)).toEqual(first);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("numbers of any type", () => {
  expect([...npyNumbers({ dtype: "i8", shape: [2], data: BigInt64Array.of(1n, -2n) })]).toEqual([1, -2]);
  expect([...npyNumbers({ dtype: "b1", shape: [1], data: Uint8Array.of(1) })]).toEqual([1]);
  expect(() => npyNumbers({ dtype: "i8", shape: [1], data: BigInt64Array.of(2n ** 53n) })).toThrow(/2\^53/);
  expect(() => npyNumbers({ dtype: "U", shape: [1], data: ["1"] })).toThrow(TypeError);
});

test("arrays that numpy would not get back are refused", async () => {
  const wrong = writeNpz(path, { a: { dtype: "f4", shape: [2, 2], data: new Float32Array(3) } });
  await expect(wrong).rejects.toMatchObject({ code: "bad-artifact", message: /takes 4 elements, got 3/ });
  const nul = writeNpz(path, { a: { dtype: "U", shape: [1], data: ["x\0"] } });
  await expect(nul).rejects.toMatchObject({ code: "bad-artifact", message: /NUL/ });
});

const npy = (header: string, dataBytes: number): Uint8Array =>
  Buffer.concat([
    Buffer.from("\x93NUMPY\x01\x00", "latin1"),
    Buffer.from([header.length, 0]),
    Buffer.from(header),
    Buffer.alloc(dataBytes),
  ]);

test.each([
  [">f4", 4, /numpy type >f4 is not read/],
  ["<f2", 4, /takes 2 bytes, got 4/],
  ["|O", 1, /array of objects/],
  ["|S3", 3, /numpy type \|S3 is not read/],
  ["<f4", 3, /takes 4 bytes, got 3/],
  ["<f4", 8, /takes 4 bytes, got 8/],
  ["<U2", 4, /takes 8 bytes, got 4/],
])("NPY of %s and %d bytes is refused", (descr, bytes, message) => {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (1,), }\n`;
  expect(() => decodeNpy(npy(header, bytes))).toThrow(message);
});

test("structured arrays and other headers are refused", () => {
  expect(() =>
    decodeNpy(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", 4)),
  ).toThrow(/no plain descr/);
  expect(() => decodeNpy(Buffer.from("not an array"))).toThrow(/not an NPY array/);
});

test("a damaged archive is refused at every length and for a flipped byte of any array", async () => {
  const archive = Buffer.from(
    encodeZip(new Map([["a.npy", encodeNpy({ dtype: "u1", shape: [4], data: Uint8Array.of(1, 2, 3, 4) })]])),
  );
  for (let length = 0; length < archive.length; length++)
    expect(() => openZip(archive.subarray(0, length)).get("a.npy")?.()).toThrow(RangeError);
  const flipped = Buffer.from(archive);
  const at = archive.indexOf(Buffer.from([1, 2, 3, 4]));
  flipped[at] = 9;
  await writeFile(path, flipped);
  const arrays = await readNpz(path);
  expect(() => arrays.a).toThrow(
    expect.objectContaining({
      code: "bad-artifact",
      message: expect.stringMatching(/"a.npy" fails its checksum/),
    }),
  );
});

test("a deflated entry is unpacked to the size that it declares, and refused if it has another", () => {
  const content = new Uint8Array(100_000).fill(7);
  const packed = deflateRawSync(content);
  const open = (size: number): Uint8Array | undefined => {
    const archive = Buffer.from(encodeZip(new Map([["a", packed]])));
    const at = archive.readUInt32LE(archive.length - 6); // of the directory
    archive.writeUInt16LE(8, at + 10);
    archive.writeUInt32LE(crc32(content), at + 16);
    archive.writeUInt32LE(size, at + 24);
    return openZip(archive).get("a")?.();
  };
  expect(open(content.length)).toEqual(content);
  expect(() => open(content.length - 1)).toThrow(/bytes or more, expected 99999/);
  expect(() => open(content.length + 1)).toThrow(/100000 bytes, expected 100001/);
});
