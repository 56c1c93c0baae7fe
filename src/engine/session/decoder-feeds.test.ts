import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileSource } from "../../checkpoint/weight-index.ts";
import { encodeBfloat16, encodeFloat16 } from "../../math/half.ts";
import { openEmbeddingRows } from "./decoder-feeds.ts";

const TABLE = Float32Array.from([0, 0.5, -1, 2, 3, -4, 0.25, 8]); // [4, 2], exact in either half type
const BEFORE = 6; // bytes of other tensors in front; not a multiple of a float32
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "embedding-rows-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(dtype: string, values: Uint16Array | Float32Array) {
  const file = join(folder, "model.safetensors");
  await writeFile(file, Buffer.concat([new Uint8Array(BEFORE).fill(255), Buffer.from(values.buffer)]));
  return {
    dtype,
    shape: [4, 2],
    source: fileSource(file),
    byteOffset: BEFORE,
    byteLength: values.byteLength,
  };
}

it.each([
  ["F32", TABLE],
  ["F16", encodeFloat16(TABLE)],
  ["BF16", encodeBfloat16(TABLE)],
] as const)(
  "reads rows of a %s table in any order, the last and repeated ones too",
  async (dtype, values) => {
    await using rows = await openEmbeddingRows(await write(dtype, values));
    expect(await rows.read([3, 0, 3, 1])).toEqual(Float32Array.from([0.25, 8, 0, 0.5, 0.25, 8, -1, 2]));
  },
);

it.each([-1, 4, 1.5, Number.NaN])("refuses token %d instead of reading another tensor", async (id) => {
  await using rows = await openEmbeddingRows(await write("F32", TABLE));
  await expect(rows.read([0, id])).rejects.toThrow(
    expect.objectContaining({ code: "bad-checkpoint", message: expect.stringContaining(`token ${id}`) }),
  );
});

it("says so when the file became shorter meanwhile", async () => {
  const table = await write("F32", TABLE);
  await using rows = await openEmbeddingRows(table);
  await truncate(table.source.path as string, BEFORE + 3 * 8 + 4);
  expect(await rows.read([2])).toEqual(Float32Array.from([3, -4]));
  await expect(rows.read([3])).rejects.toThrow(/token 3's embedding: read 4 of 8 bytes/);
});
