import { decodeFloat16 } from "../../math/half.ts";

/**
 * Unpacks whole blocks to float32.
 * @param bytes [blocks * blockBytes]
 * @param values [blocks * blockSize], written
 */
export type Dequantize = (type: GgmlTypeName, bytes: Uint8Array, values: Float32Array) => void;

/**
 * The values equal the reference's bit for bit (NaN for NaN). Its products are exact in float32, so that computing in
 * doubles and rounding on the write to the Float32Array gives the same results.
 * @see the Python package `gguf`, `quants.py`, whose numbers the tests hold; ggml's `ggml-quants.c`
 */
export function createDequantizer(): Dequantize {
  const halves = decodeFloat16(Uint16Array.from({ length: 0x10000 }, (_, bits) => bits));
  return (type, bytes, values) => UNPACK[type](bytes, values, halves);
}

/** Unpacks all blocks of one type. @param halves [65536] the value of every half-precision bit pattern */
type UnpackBlocks = (bytes: Uint8Array, values: Float32Array, halves: Float32Array) => void;

const UNPACK: Readonly<Record<GgmlTypeName, UnpackBlocks>> = {
  F32: unpackF32,
  F16: unpackF16,
  BF16: unpackBf16,
  Q4_0: smallBlocks({ bytes: 18, zero: 8 }),
  Q4_1: smallBlocks({ bytes: 20, hasMinimum: true }),
  Q5_0: smallBlocks({ bytes: 22, zero: 16, hasFifths: true }),
  Q5_1: smallBlocks({ bytes: 24, hasMinimum: true, hasFifths: true }),
  Q8_0: unpackQ8,
  Q4_K: largeBlocks({ bytes: 144 }),
  Q5_K: largeBlocks({ bytes: 176, hasFifths: true }),
  Q6_K: unpackQ6K,
};

function unpackF32(bytes: Uint8Array, values: Float32Array): void {
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).set(bytes);
}

function unpackF16(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = halves[half(bytes, 2 * i)] as number;
}

function unpackBf16(bytes: Uint8Array, values: Float32Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) words[i] = half(bytes, 2 * i) << 16;
}

/** Values in a block of the types Q4_0 to Q8_0. */
const SMALL_BLOCK = 32;

/**
 * [scale f16, minimum f16 or none, 32 fifth bits or none, 16 bytes of 4 + 4 bits]: scale * (q - zero) + minimum, where
 * the low four bits of all bytes come first, then the high ones.
 */
function smallBlocks({
  bytes: blockBytes,
  zero = 0,
  hasMinimum = false,
  hasFifths = false,
}: {
  readonly bytes: number;
  readonly zero?: number;
  readonly hasMinimum?: boolean;
  readonly hasFifths?: boolean;
}): UnpackBlocks {
  const quants = blockBytes - 16;
  return (bytes, values, halves) => {
    for (let at = 0, out = 0; out < values.length; at += blockBytes, out += SMALL_BLOCK) {
      const scale = halves[half(bytes, at)] as number;
      const minimum = hasMinimum ? (halves[half(bytes, at + 2)] as number) : -0; // x + -0 is x, for x = -0 too
      const low = hasFifths ? half(bytes, at + quants - 4) : 0;
      const high = hasFifths ? half(bytes, at + quants - 2) : 0;
      for (let i = 0; i < 16; i++) {
        const byte = bytes[at + quants + i] as number;
        values[out + i] = scale * (((byte & 15) | (((low >> i) & 1) << 4)) - zero) + minimum;
        values[out + 16 + i] = scale * (((byte >> 4) | (((high >> i) & 1) << 4)) - zero) + minimum;
      }
    }
  };
}

/** [scale f16, 32 signed bytes]: scale * q */
function unpackQ8(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, out = 0; out < values.length; at += 34, out += SMALL_BLOCK) {
    const scale = halves[half(bytes, at)] as number;
    for (let i = 0; i < SMALL_BLOCK; i++) values[out + i] = scale * (signed[at + 2 + i] as number);
  }
}

/** Values in a "K" block: eight groups of 32, or sixteen of 16, each with a scale of its own. */
const LARGE_BLOCK = 256;

/** [scale f16, minimum f16, 12 bytes of packed scales, 32 bytes of fifth bits or none, 128 bytes of 4 + 4 bits] */
function largeBlocks({
  bytes: blockBytes,
  hasFifths = false,
}: {
  readonly bytes: number;
  readonly hasFifths?: boolean;
}): UnpackBlocks {
  return (bytes, values, halves) => {
    const quants = blockBytes - 128;
    const fifths = hasFifths ? quants - 32 : quants; // without fifth bits: any bytes, masked to zero
    const mask = hasFifths ? 0xff : 0;
    for (let at = 0, out = 0; out < values.length; at += blockBytes, out += LARGE_BLOCK) {
      const scale = halves[half(bytes, at)] as number;
      const minimum = halves[half(bytes, at + 2)] as number;
      for (let pair = 0; pair < 4; pair++) {
        const [first, second] = [2 * pair, 2 * pair + 1];
        const lowScale = scale * groupScale(bytes, at + 4, first);
        const lowMinimum = minimum * groupMinimum(bytes, at + 4, first);
        const highScale = scale * groupScale(bytes, at + 4, second);
        const highMinimum = minimum * groupMinimum(bytes, at + 4, second);
        const from = at + quants + 32 * pair;
        const to = out + 64 * pair;
        for (let i = 0; i < 32; i++) {
          const byte = bytes[from + i] as number;
          const fifth = (bytes[at + fifths + i] as number) & mask;
          values[to + i] = lowScale * ((byte & 15) | (((fifth >> first) & 1) << 4)) - lowMinimum;
          values[to + 32 + i] = highScale * ((byte >> 4) | (((fifth >> second) & 1) << 4)) - highMinimum;
        }
      }
    }
  };
}

/** [128 bytes of 4 + 4 low bits, 64 bytes of 2 + 2 + 2 + 2 high bits, 16 signed scales, scale f16] */
function unpackQ6K(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, out = 0; out < values.length; at += 210, out += LARGE_BLOCK) {
    const scale = halves[half(bytes, at + 208)] as number;
    for (let side = 0; side < 2; side++) {
      const low = at + 64 * side;
      const high = at + 128 + 32 * side;
      const to = out + 128 * side;
      for (let quarter = 0; quarter < 4; quarter++) {
        // quarters 0 and 1 are the low four bits of two runs of 32 bytes, 2 and 3 the high ones of the same
        const run = low + 32 * (quarter & 1);
        const shift = quarter < 2 ? 0 : 4;
        for (let group = 0; group < 2; group++) {
          const groupScaled = scale * (signed[at + 192 + 8 * side + 2 * quarter + group] as number);
          for (let i = 16 * group; i < 16 * group + 16; i++) {
            const four = ((bytes[run + i] as number) >> shift) & 15;
            const two = ((bytes[high + i] as number) >> (2 * quarter)) & 3;
            values[to + 32 * quarter + i] = groupScaled * ((four | (two << 4)) - 32);
          }
        }
      }
    }
  }
}

/**
 * Eight scales and eight minima of six bits each: those of groups 0 to 3 are the low bits of bytes 0 to 3 and 4 to
 * 7, whose top two bits complete the four bits that bytes 8 to 11 hold for groups 4 to 7.
 */
function groupScale(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return (bytes[at + group] as number) & 63;
  return ((bytes[at + group + 4] as number) & 15) | (((bytes[at + group - 4] as number) >> 6) << 4);
}

function groupMinimum(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return (bytes[at + group + 4] as number) & 63;
  return ((bytes[at + group + 4] as number) >> 4) | (((bytes[at + group] as number) >> 6) << 4);
}

const half = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) | ((bytes[at + 1] as number) << 8);

/** How one of ggml's tensor types packs its values. */
export interface GgmlType {
  readonly name: GgmlTypeName;
  /** Values in a block; the first dimension is a multiple of it. */
  readonly blockSize: number;
  readonly blockBytes: number;
}

export type GgmlTypeName =
  | "F32"
  | "F16"
  | "BF16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K";

/**
 * The tensor types that are implemented, by their number in a file.
 * @see https://github.com/ggml-org/ggml/blob/master/include/ggml.h, `ggml_type`
 */
export const GGML_TYPES: Readonly<Record<number, GgmlType>> = {
  0: { name: "F32", blockSize: 1, blockBytes: 4 },
  1: { name: "F16", blockSize: 1, blockBytes: 2 },
  2: { name: "Q4_0", blockSize: 32, blockBytes: 18 },
  3: { name: "Q4_1", blockSize: 32, blockBytes: 20 },
  6: { name: "Q5_0", blockSize: 32, blockBytes: 22 },
  7: { name: "Q5_1", blockSize: 32, blockBytes: 24 },
  8: { name: "Q8_0", blockSize: 32, blockBytes: 34 },
  12: { name: "Q4_K", blockSize: 256, blockBytes: 144 },
  13: { name: "Q5_K", blockSize: 256, blockBytes: 176 },
  14: { name: "Q6_K", blockSize: 256, blockBytes: 210 },
  30: { name: "BF16", blockSize: 1, blockBytes: 2 },
};

/** Types that occur in files and are not implemented, for the error that names them. */
export const OTHER_GGML_TYPES: Readonly<Record<number, string>> = {
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
  40: "NVFP4",
  41: "Q1_0",
};
