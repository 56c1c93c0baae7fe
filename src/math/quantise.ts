/** A matrix as int8 codes with one scale for each output: weight[out, in] = codes[in, out] * scales[out]. */
interface QuantisedMatrix {
  /** [inSize, outSize] in -127 .. 127, the layout that int8 matmuls take. */
  readonly codes: Int8Array;
  /** [outSize], > 0 */
  readonly scales: Float32Array;
}

/** Symmetric int8 without -128, so that a code and its negative are both there. */
const LARGEST_INT8 = 127;

/**
 * Rounds a matrix to int8, each output row on its own scale: the largest magnitude of a row becomes 127. The error
 * of an element is at most half its row's scale.
 * @param values [outSize, inSize], or [inSize, outSize] with `transposed`
 */
export function quantiseRows(
  values: Float32Array,
  {
    outSize,
    inSize,
    transposed,
  }: { readonly outSize: number; readonly inSize: number; readonly transposed: boolean },
): QuantisedMatrix {
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(outSize);
  const outStride = transposed ? 1 : inSize;
  const inStride = transposed ? outSize : 1;
  for (let out = 0; out < outSize; out++) {
    let largest = 0;
    for (let i = 0; i < inSize; i++) {
      largest = Math.max(largest, Math.abs(values[out * outStride + i * inStride] as number));
    }
    // a row of zeros keeps codes of zero under any scale
    scales[out] = largest === 0 ? 1 : largest / LARGEST_INT8;
    const scale = scales[out] as number;
    for (let i = 0; i < inSize; i++) {
      const code = Math.round((values[out * outStride + i * inStride] as number) / scale);
      codes[i * outSize + out] = Math.max(-LARGEST_INT8, Math.min(LARGEST_INT8, code));
    }
  }
  return { codes, scales };
}

/** Inputs that share a scale and a zero point. */
export const INT4_BLOCK = 32;

/**
 * A matrix as four-bit codes in blocks along its inputs, two codes per byte, the first in the lower half:
 * weight[out, in] = (code - zero point) * scale of its block.
 */
export interface BlockQuantisedMatrix {
  /** [outSize, blocks, 16]; an incomplete last block is padded with zero points. */
  readonly codes: Uint8Array;
  /** [outSize, blocks], > 0 */
  readonly scales: Float32Array;
  /** [outSize, ceil(blocks / 2)], packed as the codes are. */
  readonly zeroPoints: Uint8Array;
}

const LARGEST_INT4 = 15;

/**
 * Rounds a matrix to four bits. The 16 levels of a block span its values and zero, which stays exact. A few narrower
 * spans are tried, too, and the one with the smallest squared error is taken: clipping an outlier may be worth finer
 * steps for all other values.
 * @param values [outSize, inSize], or [inSize, outSize] with `transposed`
 */
export function quantiseBlocks(
  values: Float32Array,
  {
    outSize,
    inSize,
    transposed,
  }: { readonly outSize: number; readonly inSize: number; readonly transposed: boolean },
): BlockQuantisedMatrix {
  const blocks = Math.ceil(inSize / INT4_BLOCK);
  const codes = new Uint8Array((outSize * blocks * INT4_BLOCK) / 2);
  const scales = new Float32Array(outSize * blocks);
  const zeroPointRow = Math.ceil(blocks / 2);
  const zeroPoints = new Uint8Array(outSize * zeroPointRow);
  const outStride = transposed ? 1 : inSize;
  const inStride = transposed ? outSize : 1;
  const block = new Float32Array(INT4_BLOCK);
  for (let out = 0; out < outSize; out++) {
    for (let b = 0; b < blocks; b++) {
      for (let i = 0; i < INT4_BLOCK; i++) {
        const input = b * INT4_BLOCK + i;
        block[i] = input < inSize ? (values[out * outStride + input * inStride] as number) : 0;
      }
      const { scale, zeroPoint } = chooseSpan(block);
      scales[out * blocks + b] = scale;
      putNibble(zeroPoints, 2 * out * zeroPointRow + b, zeroPoint);
      for (let i = 0; i < INT4_BLOCK; i++) {
        putNibble(codes, (out * blocks + b) * INT4_BLOCK + i, codeOf(block[i] as number, scale, zeroPoint));
      }
    }
  }
  return { codes, scales, zeroPoints };
}

/** Shares of the full span that are tried; smaller ones were never chosen for real weights. */
const SPANS = [1, 0.95, 0.9, 0.85, 0.8, 0.75];

interface Span {
  readonly scale: number;
  readonly zeroPoint: number;
}

function chooseSpan(block: Float32Array): Span {
  let [low, high] = [0, 0];
  for (const value of block) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low === high) return { scale: 1, zeroPoint: 0 }; // all zeros under any scale
  let best: Span = { scale: 1, zeroPoint: 0 };
  let least = Number.POSITIVE_INFINITY;
  for (const share of SPANS) {
    const scale = Math.fround((share * (high - low)) / LARGEST_INT4);
    if (scale === 0) continue; // below float32's smallest number
    const zeroPoint = Math.round((-share * low) / scale);
    const error = squaredError(block, scale, zeroPoint);
    if (error < least) [least, best] = [error, { scale, zeroPoint }];
  }
  return best;
}

function squaredError(block: Float32Array, scale: number, zeroPoint: number): number {
  let sum = 0;
  for (const value of block) {
    const error = value - (codeOf(value, scale, zeroPoint) - zeroPoint) * scale;
    sum += error * error;
  }
  return sum;
}

const codeOf = (value: number, scale: number, zeroPoint: number): number =>
  Math.max(0, Math.min(LARGEST_INT4, Math.round(value / scale) + zeroPoint));

function putNibble(bytes: Uint8Array, at: number, code: number): void {
  bytes[at >> 1] = (bytes[at >> 1] as number) | (at & 1 ? code << 4 : code);
}
