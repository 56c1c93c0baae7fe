import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSafetensorsHeader } from "./safetensors-header.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-header-"));
  path = join(folder, "model.safetensors");
});
afterEach(() => rm(folder, { recursive: true }));

async function write(json: string | Uint8Array, dataBytes: number, claimed?: bigint): Promise<void> {
  const text = Buffer.from(json as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(text.length));
  await writeFile(path, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
}

const tensor = (dtype: unknown, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

test("a whole file is read, tensors in the order of their bytes", async () => {
  const json = `{"b":${tensor("I8", [2, 2], [4, 8])},"__metadata__":{"k":"v"},"a":${tensor("F32", [], [0, 4])}}  `;
  await write(json, 8);
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
  await write(json, dataBytes);
  await expect(readSafetensorsHeader(path)).rejects.toMatchObject({
    code: "bad-artefact",
    message: expect.stringMatching(reason),
  });
});

test("the header's own length is held against the file and the format's limit", async () => {
  await write("{}", 0, 3n);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(/claims 3 bytes of the file's 10/);
  await write("{}", 0, 2n ** 63n);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(
    /claims 9223372036854775808 bytes, at most 8000000/,
  );
  await writeFile(path, "1234567");
  await expect(readSafetensorsHeader(path)).rejects.toThrow(/7 bytes/);
  await write(Uint8Array.of(0x7b, 0xff, 0x7d), 0);
  await expect(readSafetensorsHeader(path)).rejects.toThrow(/not UTF-8/);
});

test("the caller names the error", async () => {
  await write("{", 0);
  const reading = readSafetensorsHeader(path, { code: "bad-checkpoint" });
  await expect(reading).rejects.toMatchObject({ code: "bad-checkpoint" });
});
