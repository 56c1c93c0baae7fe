/** Values in a "K" block: eight groups of 32, or sixteen of 16, each with a scale of its own. */
const BLOCK = 256;

/** [scale f16, minimum f16, 12 bytes of packed scales, 128 bytes of 4 + 4 bits] */
export function dequantizeQ4K(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  const quants = 4 + PACKED_SCALE_BYTES;
  for (let at = 0, out = 0; out < values.length; at += 144, out += BLOCK) {
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
        values[to + i] = lowScale * (byte & 15) - lowMinimum;
        values[to + 32 + i] = highScale * (byte >> 4) - highMinimum;
      }
    }
  }
}

/** [scale f16, minimum f16, 12 bytes of packed scales, 32 bytes of fifth bits, 128 bytes of 4 + 4 bits] */
export function dequantizeQ5K(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  const fifths = 4 + PACKED_SCALE_BYTES;
  const quants = fifths + 32;
  for (let at = 0, out = 0; out < values.length; at += 176, out += BLOCK) {
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
        const fifth = bytes[at + fifths + i] as number;
        values[to + i] = lowScale * ((byte & 15) | (((fifth >> first) & 1) << 4)) - lowMinimum;
        values[to + 32 + i] = highScale * ((byte >> 4) | (((fifth >> second) & 1) << 4)) - highMinimum;
      }
    }
  }
}

/** [128 bytes of 4 + 4 low bits, 64 bytes of 2 + 2 + 2 + 2 high bits, 16 signed scales, scale f16] */
export function dequantizeQ6K(bytes: Uint8Array, values: Float32Array, halves: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, out = 0; out < values.length; at += 210, out += BLOCK) {
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
const PACKED_SCALE_BYTES = 12;

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
