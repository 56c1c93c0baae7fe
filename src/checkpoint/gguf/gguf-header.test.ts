import { describe, expect, it } from "vitest";
import { type FakeGguf, fakeValue, ggufBytes } from "../../../test/fakes/gguf-bytes.ts";
import { parseGgufHeader } from "./gguf-header.ts";

const parse = (fake: FakeGguf): ReturnType<typeof parseGgufHeader> => {
  const bytes = ggufBytes(fake);
  return parseGgufHeader(bytes, bytes.length, "m.gguf");
};
const tensor = { name: "a", dimensions: [4, 2], type: 0, offset: 0 };
const HUGE = 2n ** 63n;

describe("a GGUF header", () => {
  it.each([2, 3])("of version %i gives metadata of all types, and tensors", (version) => {
    const { array, text, uint16 } = fakeValue;
    const { metadata, tensors } = parse({
      version,
      metadata: [
        ["u8", fakeValue.uint8(255)],
        ["i8", fakeValue.int8(-1)],
        ["u16", fakeValue.uint16(65_535)],
        ["i16", fakeValue.int16(-2)],
        ["u32", fakeValue.uint32(4_294_967_295)],
        ["i32", fakeValue.int32(-3)],
        ["f32", fakeValue.float32(0.5)],
        ["yes", fakeValue.flag(1)],
        ["no", fakeValue.flag(0)],
        ["text", text("Ġ日\u0000")],
        ["u64", fakeValue.uint64(2n ** 64n - 1n)],
        ["i64", fakeValue.int64(-(2n ** 63n))],
        ["f64", fakeValue.float64(0.1)],
        ["numbers", array(2, [uint16(1), uint16(2)])],
        ["texts", array(8, [text("a"), text("")])],
        ["flags", array(7, [fakeValue.flag(1)])],
        ["bigs", array(10, [fakeValue.uint64(2n ** 60n)])],
        ["signed bigs", array(11, [fakeValue.int64(-1n)])],
        ["nested", array(9, [array(8, [text("x")]), array(2, [uint16(3)])])],
        ["empty", array(8, [])],
      ],
      tensors: [tensor, { name: "b", dimensions: [32, 3], type: 8, offset: 32 }],
      dataBytes: 32 + 3 * 34,
    });
    expect(Object.fromEntries(metadata)).toEqual({
      u8: 255,
      i8: -1,
      u16: 65_535,
      i16: -2,
      u32: 4_294_967_295,
      i32: -3,
      f32: 0.5,
      yes: true,
      no: false,
      text: "Ġ日\u0000",
      u64: 2n ** 64n - 1n,
      i64: -(2n ** 63n),
      f64: 0.1,
      numbers: Float64Array.of(1, 2),
      texts: ["a", ""],
      flags: [true],
      bigs: BigUint64Array.of(2n ** 60n),
      "signed bigs": BigInt64Array.of(-1n),
      nested: [["x"], Float64Array.of(3)],
      empty: [],
    });
    const [a, b] = [tensors.get("a")!, tensors.get("b")!];
    expect(a).toMatchObject({ shape: [2, 4], byteLength: 32 });
    expect(b).toMatchObject({ shape: [3, 32], byteLength: 102, byteOffset: a.byteOffset + 32 });
    expect(a.byteOffset % 32).toBe(0);
  });

  it("may state its alignment", () => {
    const metadata = [["general.alignment", fakeValue.uint32(256)]] as const;
    const { tensors } = parse({ metadata, alignment: 256, tensors: [tensor], dataBytes: 32 });
    expect(tensors.get("a")?.byteOffset).toBe(256);
  });

  it.each<[string, FakeGguf, RegExp]>([
    ["another kind of file", { magic: "GGML" }, /begins with 0x4c4d4747/],
    ["version 1", { version: 1 }, /version 1, and versions 2 and 3/],
    ["big-endian numbers", { version: 0x03000000 }, /big-endian/],
    [
      "more tensors than bytes",
      { tensorCount: 1000 },
      /number of tensors at byte 16 is 1000, which takes 32000/,
    ],
    [
      "more tensors than any model",
      { tensorCount: HUGE },
      /number of tensors is 9223372036854775808, at most/,
    ],
    ["more fields than bytes", { fieldCount: 60_000 }, /number of metadata fields .* is 60000/],
    ["a count beyond 2^53", { fieldCount: 2n ** 64n - 1n }, /is 18446744073709551615, at most 65536/],
    ["an unknown value type", { metadata: [["k", { type: 13, bytes: new Uint8Array(8) }]] }, /value type 13/],
    ["a boolean of 2", { metadata: [["k", fakeValue.flag(2)]] }, /"k" is 2, and a boolean is 0 or 1/],
    ["a field twice", { metadata: [1, 2].map((n) => ["k", fakeValue.uint8(n)] as const) }, /has "k" twice/],
    [
      "an array that is longer than the file",
      { metadata: [["k", fakeValue.array(4, [], 4_000_000)]] },
      /number of items of "k" at byte .* is 4000000, which takes 16000000 bytes/,
    ],
    [
      "an array beyond any length",
      { metadata: [["k", fakeValue.array(0, [], HUGE)]] },
      /items of "k" is 9223372036854775808, at most 4194304/,
    ],
    ["items of an unknown type", { metadata: [["k", fakeValue.array(77, [])]] }, /items of type 77/],
    ["arrays nested too deep", { metadata: [["k", nest(5)]] }, /nests arrays deeper than 4/],
    [
      "a tensor without dimensions",
      { tensors: [{ ...tensor, dimensions: [] }] },
      /0 dimensions, expected 1 to 4/,
    ],
    [
      "a tensor of five dimensions",
      { tensors: [{ ...tensor, dimensions: [1, 1, 1, 1, 1] }] },
      /5 dimensions, expected 1 to 4/,
    ],
    ["an empty dimension", { tensors: [{ ...tensor, dimensions: [0, 2] }] }, /a dimension of 0/],
    [
      "a dimension beyond 2^53",
      { tensors: [{ ...tensor, dimensions: [HUGE] }] },
      /a dimension of 9223372036854/,
    ],
    [
      "dimensions whose product overflows",
      { tensors: [{ ...tensor, dimensions: [2n ** 50n, 2n ** 50n, 2n ** 50n] }] },
      /takes 5\.\d+e\+45 bytes/,
    ],
    ["an unknown tensor type", { tensors: [{ ...tensor, type: 99 }] }, /unknown type 99/],
    [
      "rows that are no whole blocks",
      { tensors: [{ ...tensor, type: 8 }], dataBytes: 99 },
      /rows of 4 values, and Q8_0 packs 32/,
    ],
    [
      "a tensor off its alignment",
      { tensors: [{ ...tensor, offset: 8 }], dataBytes: 99 },
      /at 8, which is not a multiple of the alignment 32/,
    ],
    [
      "a tensor beyond the end",
      { tensors: [tensor], dataBytes: 31 },
      /takes 32 bytes from 0 on, .* has 31 bytes/,
    ],
    [
      "an offset beyond the end",
      { tensors: [{ ...tensor, offset: HUGE }], dataBytes: 32 },
      /takes 32 bytes from 9223372036854775808 on/,
    ],
    [
      "tensors that overlap",
      { tensors: [tensor, { ...tensor, name: "b" }], dataBytes: 64 },
      /"b" begins at byte \d+, inside of "a"/,
    ],
    [
      "two tensors of one name",
      { tensors: [tensor, { ...tensor, offset: 32 }], dataBytes: 64 },
      /two of its tensors have the same name/,
    ],
    [
      "an alignment that is no power of two",
      { metadata: [["general.alignment", fakeValue.uint32(24)]] },
      /"general.alignment" is 24/,
    ],
    [
      "an alignment of 0",
      { metadata: [["general.alignment", fakeValue.uint32(0)]] },
      /"general.alignment" is 0/,
    ],
  ])("with %s is refused", (_, fake, message) => {
    expect(() => parse(fake)).toThrow(message);
    expect(() => parse(fake)).toThrow(expect.objectContaining({ code: "bad-checkpoint" }));
  });

  it.each<[string, FakeGguf, RegExp]>([
    ["a type that is not implemented", { tensors: [{ ...tensor, type: 10 }] }, /"a" is Q2_K, and F32, F16, /],
    ["one part of many", { metadata: [["split.count", fakeValue.uint16(3)]] }, /one of 3 parts/],
  ])("with %s names it", (_, fake, message) => {
    expect(() => parse(fake)).toThrow(message);
    expect(() => parse(fake)).toThrow(expect.objectContaining({ code: "unsupported-model" }));
  });

  it("that was cut off anywhere is refused", () => {
    const whole = ggufBytes({
      metadata: [
        ["k", fakeValue.text("value")],
        ["a", fakeValue.array(8, [fakeValue.text("x")])],
      ],
      tensors: [tensor],
      dataBytes: 32,
    });
    parseGgufHeader(whole, whole.length, "m.gguf");
    for (let size = 0; size < whole.length; size++) {
      expect(() => parseGgufHeader(whole.subarray(0, size), size, "m.gguf"), `${size} bytes`).toThrow(
        expect.objectContaining({ code: "bad-checkpoint" }),
      );
    }
  });

  it("that goes on past what is read says so", () => {
    const bytes = ggufBytes({ metadata: [["k", fakeValue.text("value")]] });
    expect(() => parseGgufHeader(bytes.subarray(0, 40), 1000, "m.gguf")).toThrow(
      /a header may take 40 bytes/,
    );
  });
});

function nest(depth: number): ReturnType<typeof fakeValue.array> {
  return depth === 0 ? fakeValue.array(0, []) : fakeValue.array(9, [nest(depth - 1)]);
}
