import { decodeFloat16 } from "../../math/half.ts";
import { dequantizeQ4K, dequantizeQ5K, dequantizeQ6K } from "./dequantize-k.ts";
import type { GgmlTypeName } from "./ggml-types.ts";

/**
 * Unpacks whole blocks to float32.
 * @param bytes [blocks * blockBytes]
 * @param values [blocks * blockSize], written
 */
export type Dequantize = (type: GgmlTypeName, bytes: Uint8Array, values: Float32Array) => void;

/** Unpacks all blocks of one type. @param halves [65536] the value of every half-precision bit pattern */
export type UnpackBlocks = (bytes: Uint8Array, values: Float32Array, halves: Float32Array) => void;

/**
 * Every value is the one that the reference computes, bit for bit (NaN for NaN): its products are exact in
 * float32, so that computing in doubles and rounding once, as the arrays here do, rounds the same sums once.
 * @see the Python package `gguf`, `quants.py`, whose numbers the tests hold; ggml's `ggml-quants.c`
 */
export function createDequantizer(): Dequantize {
  const halves = decodeFloat16(Uint16Array.from({ length: 0x10000 }, (_, bits) => bits));
  return (type, bytes, values) => UNPACK[type](bytes, values, halves);
}

const UNPACK: Readonly<Record<GgmlTypeName, UnpackBlocks>> = {
  F32: unpackF32,
  F16: unpackF16,
  BF16: unpackBf16,
  Q4_0: unpackQ40,
  Q4_1: unpackQ41,
  Q5_0: unpackQ50,
  Q5_1: unpackQ51,
  Q8_0: unpackQ80,
  Q4_K: dequantizeQ4K,
  Q5_K: dequantizeQ5K,
  Q6_K: dequantizeQ6K,
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

/** Values in a block of the types below; the low four bits of its bytes come first, then the high ones. */
const BLOCK = 32;

/** [scale f16, 16 bytes of 4 + 4 bits]: scale * (q - 8) */
function unpackQ40(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  for (let at = 0, out = 0; out < values.length; at += 18, out += BLOCK) {
    const scale = halves[half(bytes, at)] as number;
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 2 + i] as number;
      values[out + i] = scale * ((byte & 15) - 8);
      values[out + 16 + i] = scale * ((byte >> 4) - 8);
    }
  }
}

/** [scale f16, minimum f16, 16 bytes of 4 + 4 bits]: scale * q + minimum */
function unpackQ41(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  for (let at = 0, out = 0; out < values.length; at += 20, out += BLOCK) {
    const scale = halves[half(bytes, at)] as number;
    const minimum = halves[half(bytes, at + 2)] as number;
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 4 + i] as number;
      values[out + i] = scale * (byte & 15) + minimum;
      values[out + 16 + i] = scale * (byte >> 4) + minimum;
    }
  }
}

/** [scale f16, 32 fifth bits, 16 bytes of 4 + 4 bits]: scale * (q - 16) */
function unpackQ50(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  for (let at = 0, out = 0; out < values.length; at += 22, out += BLOCK) {
    const scale = halves[half(bytes, at)] as number;
    const low = half(bytes, at + 2);
    const high = half(bytes, at + 4);
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 6 + i] as number;
      values[out + i] = scale * (((byte & 15) | (((low >> i) & 1) << 4)) - 16);
      values[out + 16 + i] = scale * (((byte >> 4) | (((high >> i) & 1) << 4)) - 16);
    }
  }
}

/** [scale f16, minimum f16, 32 fifth bits, 16 bytes of 4 + 4 bits]: scale * q + minimum */
function unpackQ51(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  for (let at = 0, out = 0; out < values.length; at += 24, out += BLOCK) {
    const scale = halves[half(bytes, at)] as number;
    const minimum = halves[half(bytes, at + 2)] as number;
    const low = half(bytes, at + 4);
    const high = half(bytes, at + 6);
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 8 + i] as number;
      values[out + i] = scale * ((byte & 15) | (((low >> i) & 1) << 4)) + minimum;
      values[out + 16 + i] = scale * ((byte >> 4) | (((high >> i) & 1) << 4)) + minimum;
    }
  }
}

/** [scale f16, 32 signed bytes]: scale * q */
function unpackQ80(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, out = 0; out < values.length; at += 34, out += BLOCK) {
    const scale = halves[half(bytes, at)] as number;
    for (let i = 0; i < BLOCK; i++) values[out + i] = scale * (signed[at + 2 + i] as number);
  }
}

const half = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
