import type { EncoderOutput } from "./encoder-session.ts";

export type Pooling = "mean" | "cls";

/**
 * One vector of a text's many, of length 1.
 * @param output [B, S, D], or [B, D] if the model has pooled already
 * @param length the row's tokens, without padding
 * @returns [D]
 */
export function poolTokens(
  { values, shape }: EncoderOutput,
  row: number,
  length: number,
  pooling: Pooling,
): Float32Array {
  const width = shape.at(-1) as number;
  const stride = shape.length === 3 ? (shape[1] as number) * width : width;
  const tokens = shape.length === 3 && pooling === "mean" ? length : 1;
  const sums = new Float64Array(width);
  for (let token = 0; token < tokens; token++) {
    const start = row * stride + token * width;
    for (let i = 0; i < width; i++) sums[i] = (sums[i] as number) + (values[start + i] as number);
  }
  // the mean's divisor drops out
  const norm = Math.sqrt(sums.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(sums, (value) => (norm === 0 ? 0 : value / norm));
}
