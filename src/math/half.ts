/**
 * Float32 to IEEE 754 half precision (binary16), rounded to the nearest, ties to even. Above 65504 + half a unit
 * it becomes an infinity; NaN stays NaN.
 * @returns [n] bit patterns
 */
export function encodeFloat16(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  encodeFloat16Into(
    new Uint32Array(values.buffer, values.byteOffset, values.length),
    0,
    halves,
    0,
    values.length,
  );
  return halves;
}

/**
 * The same for a stretch of an array, into a stretch of another one.
 * @param words bits of float32 numbers
 * @returns the largest of the magnitudes' bits, in whose order NaN comes behind infinity
 */
export function encodeFloat16Into(
  words: Uint32Array,
  from: number,
  halves: Uint16Array,
  to: number,
  count: number,
): number {
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const word = words[from + i]!;
    const magnitude = word & 0x7fffffff;
    if (magnitude > largest) largest = magnitude;
    // Nearly all numbers are normal in both formats: shift the exponent's bias from 127 to 15, then round 13 bits away, ties
    // to even. A carry out of the fraction raises the exponent, up to infinity, which is what rounding asks for.
    if (magnitude >= SMALLEST_NORMAL && magnitude < TOO_LARGE) {
      const rebiased = magnitude - REBIAS;
      halves[to + i] = ((word >>> 16) & 0x8000) | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
    } else halves[to + i] = float16Bits(word);
  }
  return largest;
}

/** Bits of float32 numbers: the smallest normal half, 65536, and what the exponents differ by. */
const SMALLEST_NORMAL = 0x38800000;
const TOO_LARGE = 0x47800000;
const REBIAS = 112 << 23;

/** Half precision (binary16) bit patterns to Float32, exactly. */
export function decodeFloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] as number;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) words[i] = sign | 0x7f800000 | (fraction << 13);
    else if (exponent !== 0) words[i] = sign | ((exponent + 112) << 23) | (fraction << 13);
    else values[i] = (sign === 0 ? fraction : -fraction) * 2 ** -24; // subnormal, or a zero with its sign
  }
  return values;
}

/**
 * Float32 to bfloat16, rounded to the nearest, ties to even; NaN stays NaN.
 * @returns [n] bit patterns
 */
export function encodeBfloat16(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = words[i] as number;
    const nan = (word & 0x7fffffff) > 0x7f800000;
    // A NaN must not round up into an infinity or a zero: keep its top bits and make it quiet.
    halves[i] = nan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}

/** bfloat16 bit patterns to Float32, exactly. */
export function decodeBfloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] as number) << 16;
  return values;
}

/** @param word bits of a float32 that is not a normal half */
function float16Bits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff); // NaN, made quiet
  if (magnitude >= TOO_LARGE) return sign | 0x7c00; // and infinities
  if (magnitude < 0x33000000) return sign; // below half of the smallest subnormal
  const exponent = magnitude >>> 23;
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** value / 2^bits, to the nearest integer, ties to even. */
function roundShift(value: number, bits: number): number {
  const floor = value >>> bits;
  const rest = value & ((1 << bits) - 1);
  const half = 1 << (bits - 1);
  return floor + (rest > half || (rest === half && (floor & 1) === 1) ? 1 : 0);
}
