import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { readSafetensorsHeader, readTensor } from "../../store/safetensors.ts";
import { createDequantizer, GGML_TYPES, type GgmlType } from "./dequantize.ts";

const GOLDEN = fileURLToPath(new URL("../../../test/golden/gguf-quants.safetensors", import.meta.url));

describe.each(Object.values(GGML_TYPES))("$name blocks", ({ name, blockSize, blockBytes }: GgmlType) => {
  let blocks: Uint8Array;
  let expected: Float32Array;

  beforeAll(async () => {
    const { tensors } = await readSafetensorsHeader(GOLDEN);
    blocks = Uint8Array.from(await readTensor(GOLDEN, tensors.get(`${name}.blocks`)!));
    expected = await readTensor(GOLDEN, tensors.get(`${name}.values`)!);
  });

  it("unpack to the bits that the reference package gives, for extreme scales too", () => {
    expect(expected.length).toBe((blocks.length / blockBytes) * blockSize);
    const values = new Float32Array(expected.length);
    createDequantizer()(name, blocks, values);
    // NaN has many bit patterns, and which one a product gives is the CPU's choice
    expect(bitsOf(values)).toEqual(bitsOf(expected));
    expect(expected.some((value) => Number.isFinite(value) && value !== 0)).toBe(true);
  });

  it("write only the values that they hold, wherever the arrays begin", () => {
    const shifted = new Uint8Array(blockBytes + 3).subarray(3);
    shifted.set(blocks.subarray(-blockBytes));
    const values = new Float32Array(blockSize + 2).fill(7);
    createDequantizer()(name, shifted, values.subarray(1, 1 + blockSize));
    expect(bitsOf(values.subarray(1, 1 + blockSize))).toEqual(bitsOf(expected.subarray(-blockSize)));
    expect([values[0], values[blockSize + 1]]).toEqual([7, 7]);
  });
});

const bitsOf = (values: Float32Array): number[] => {
  const plain = Float32Array.from(values);
  const words = new Uint32Array(plain.buffer);
  return [...words].map((word, i) => (Number.isNaN(plain[i]) ? Number.NaN : word));
};
