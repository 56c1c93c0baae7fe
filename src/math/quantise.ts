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

/**
 * Inputs that a rotation mixes: the largest power of two up to `most` that divides them into two blocks or more.
 * @returns 1 where only an odd number does
 */
export function rotationSize(inSize: number, most: number): number {
  let size = 1;
  while (size < most && inSize % (2 * size) === 0 && inSize >= 4 * size) size *= 2;
  return size;
}

/**
 * The normalised Hadamard matrix of Sylvester's construction: symmetric, and its own inverse.
 * @param size a power of two
 * @returns [size, size]
 */
export function hadamard(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      matrix[row * size + column] = (countBits(row & column) % 2 === 0 ? 1 : -1) / Math.sqrt(size);
  return matrix;
}

function countBits(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest &= rest - 1) count += 1;
  return count;
}

/**
 * A weight for rotated inputs: each block of `size` inputs of every row times {@link hadamard}, so that products with inputs
 * that are rotated likewise are those of the weight itself.
 * @param values [outSize, inSize], or [inSize, outSize] with `transposed`
 * @param size as {@link rotationSize} gives it
 * @returns in the same layout
 */
export function rotateInputs(
  values: Float32Array,
  {
    outSize,
    inSize,
    transposed,
  }: { readonly outSize: number; readonly inSize: number; readonly transposed: boolean },
  size: number,
): Float32Array {
  const norm = 1 / Math.sqrt(size);
  const rotated = new Float32Array(values.length);
  const outStride = transposed ? 1 : inSize;
  const inStride = transposed ? outSize : 1;
  const block = new Float64Array(size);
  for (let out = 0; out < outSize; out++) {
    for (let start = 0; start < inSize; start += size) {
      const at = out * outStride + start * inStride;
      for (let i = 0; i < size; i++) block[i] = values[at + i * inStride] as number;
      transformBlock(block);
      for (let i = 0; i < size; i++) rotated[at + i * inStride] = block[i]! * norm;
    }
  }
  return rotated;
}

/** The fast Walsh-Hadamard transform, in place and not normalised. */
function transformBlock(block: Float64Array): void {
  for (let half = 1; half < block.length; half *= 2) {
    for (let start = 0; start < block.length; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const [a, b] = [block[i]!, block[i + half]!];
        block[i] = a + b;
        block[i + half] = a - b;
      }
    }
  }
}

/** Inputs that share a scale and an offset. */
export const INT4_BLOCK = 32;

/**
 * A matrix as four-bit codes in blocks along its inputs, two codes per byte, the first in the lower half:
 * weight[out, in] = (code - 8) * scale + offset, both of its block.
 */
export interface BlockQuantisedMatrix {
  /** [outSize, blocks, 16]; an incomplete last block is padded with zeros. */
  readonly codes: Uint8Array;
  /** [outSize, blocks], > 0 */
  readonly scales: Float32Array;
  /** [blocks, outSize], the layout of a matmul's right side. */
  readonly offsets: Float32Array;
}

const LARGEST_INT4 = 15;
/** The code of the offset itself. */
const MIDDLE_INT4 = 8;
/**
 * Shares of a block's span that the 16 levels may cover. Clipping outliers may be worth finer steps for all other
 * values; in blocks that were rounded so before, as those of Q4_1 files, the full span has no error.
 */
const SHARES = [1, 0.92, 0.84];

/**
 * Rounds a matrix to four bits: of each block's spans the one with the smallest squared error.
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
  const offsets = new Float32Array(blocks * outSize);
  const outStride = transposed ? 1 : inSize;
  const inStride = transposed ? outSize : 1;
  const block = new Float32Array(INT4_BLOCK);
  for (let out = 0; out < outSize; out++) {
    for (let b = 0; b < blocks; b++) {
      const start = b * INT4_BLOCK;
      const count = Math.min(INT4_BLOCK, inSize - start);
      block.fill(0, count);
      for (let i = 0; i < count; i++) {
        block[i] = values[out * outStride + (start + i) * inStride] as number;
      }
      const { scale, low } = chooseSpan(block);
      scales[out * blocks + b] = scale;
      offsets[b * outSize + out] = low + MIDDLE_INT4 * scale;
      const at = ((out * blocks + b) * INT4_BLOCK) / 2;
      for (let i = 0; i < INT4_BLOCK; i += 2) {
        const first = codeOf(block[i] as number, scale, low);
        codes[at + i / 2] = first | (codeOf(block[i + 1] as number, scale, low) << 4);
      }
    }
  }
  return { codes, scales, offsets };
}

/** The lowest level, and the step to the next one. */
interface Span {
  readonly low: number;
  readonly scale: number;
}

function chooseSpan(block: Float32Array): Span {
  let low = block[0] as number;
  let high = low;
  for (let i = 1; i < INT4_BLOCK; i++) {
    const value = block[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const span = (high - low) / LARGEST_INT4;
  const full = { low, scale: Math.fround(span) };
  // a single value, or several that differ by less than float32's smallest number
  if (full.scale === 0) return { low: low - MIDDLE_INT4, scale: 1 };
  let best: Span = full;
  let least = Number.POSITIVE_INFINITY;
  for (const share of SHARES) {
    const scale = Math.fround(share * span);
    const from = low + ((1 - share) * (high - low)) / 2;
    const error = scale === 0 ? Number.POSITIVE_INFINITY : squaredError(block, scale, from);
    if (error < least) {
      least = error;
      best = { low: from, scale };
    }
    if (least <= EXACT * span * span) break;
  }
  return best;
}

/** Squared error of a block, in steps, that is due to float32 rounding alone. */
const EXACT = 1e-6;

function squaredError(block: Float32Array, scale: number, low: number): number {
  let sum = 0;
  for (let i = 0; i < INT4_BLOCK; i++) {
    const value = block[i] as number;
    const error = value - (codeOf(value, scale, low) * scale + low);
    sum += error * error;
  }
  return sum;
}

function codeOf(value: number, scale: number, low: number): number {
  const code = Math.floor((value - low) / scale + 0.5);
  return code < 0 ? 0 : code > LARGEST_INT4 ? LARGEST_INT4 : code;
}
