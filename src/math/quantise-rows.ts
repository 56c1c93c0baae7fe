/** A matrix as int8 codes with one scale for each output: weight[out, in] = codes[in, out] * scales[out]. */
export interface QuantisedMatrix {
  /** [inSize, outSize] in -127 .. 127, the layout that integer products take. */
  readonly codes: Int8Array;
  /** [outSize], > 0 */
  readonly scales: Float32Array;
}

/** Symmetric int8 without -128, so that a code and its negative are both there. */
const LARGEST_CODE = 127;

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
    scales[out] = largest === 0 ? 1 : largest / LARGEST_CODE;
    const scale = scales[out] as number;
    for (let i = 0; i < inSize; i++) {
      const code = Math.round((values[out * outStride + i * inStride] as number) / scale);
      codes[i * outSize + out] = Math.max(-LARGEST_CODE, Math.min(LARGEST_CODE, code));
    }
  }
  return { codes, scales };
}
