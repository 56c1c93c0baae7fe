import { expect, test } from "vitest";
import golden from "../../test/golden/half.json" with { type: "json" };
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./half.ts";

const allBits = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

test("float32 rounds to the bits that numpy and torch give", () => {
  const values = new Float32Array(Uint32Array.from(golden.float32_bits).buffer);
  expect([...encodeFloat16(values)]).toEqual(golden.float16_bits);
  expect([...encodeBfloat16(values)]).toEqual(golden.bfloat16_bits);
});

test("every float16 and bfloat16 but NaN survives float32", () => {
  for (const [encode, decode, infinity] of [
    [encodeFloat16, decodeFloat16, 0x7c00],
    [encodeBfloat16, decodeBfloat16, 0x7f80],
  ] as const) {
    const back = encode(decode(allBits));
    const again = decode(back);
    const changed = allBits.filter((bits) =>
      (bits & 0x7fff) <= infinity ? back[bits] !== bits : !Number.isNaN(again[bits]),
    );
    expect([...changed]).toEqual([]);
  }
});

test("known values", () => {
  expect([...decodeFloat16(Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff))]).toEqual([
    1,
    -2,
    0.333251953125,
    2 ** -24,
    65504,
  ]);
  expect(Object.is(decodeFloat16(Uint16Array.of(0x8000))[0], -0)).toBe(true);
  expect([...decodeBfloat16(Uint16Array.of(0x3f80, 0x4049))]).toEqual([1, 3.140625]);
  // A signalling NaN whose payload lies below the kept bits must not become an infinity.
  const payload = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
  expect(decodeFloat16(encodeFloat16(payload)).every(Number.isNaN)).toBe(true);
  expect(decodeBfloat16(encodeBfloat16(payload)).every(Number.isNaN)).toBe(true);
});

test("a view into a larger buffer is read at its place", () => {
  const buffer = new Float32Array([9, 1, 2, 9]);
  expect([...encodeFloat16(buffer.subarray(1, 3))]).toEqual([0x3c00, 0x4000]);
});
