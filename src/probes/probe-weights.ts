import type { Calibration } from "./calibrate-scores.ts";

/** The numbers of a probe: score(x) = coefficients · x' + intercept, with x' = z, or what a hidden layer makes of z. */
export interface ProbeWeights {
  /** [width] z = (x - mean) / scale */
  readonly mean: Float32Array;
  /** [width] */
  readonly scale: Float32Array;
  /** [width], or [h] on a hidden layer of h units */
  readonly coefficients: Float32Array;
  readonly intercept: number;
  /** x' = max(0, weights^T z + biases); null for x' = z. */
  readonly hidden: HiddenLayer | null;
}

export interface HiddenLayer {
  /** [width, h] */
  readonly weights: Float32Array;
  /** [h] */
  readonly biases: Float32Array;
}

/**
 * Scores rows.
 * @param features [n, width] row-major, n whole
 * @returns [n] NaN where a feature is NaN
 */
export function scoreRows(probe: ProbeWeights, features: ArrayLike<number>): Float64Array {
  const { mean, scale, coefficients, intercept, hidden } = probe;
  const width = mean.length;
  const standardised = new Float64Array(width);
  return Float64Array.from({ length: features.length / width }, (_, row) => {
    for (let j = 0; j < width; j++) standardised[j] = (features[row * width + j]! - mean[j]!) / scale[j]!;
    const read = hidden === null ? standardised : passThrough(hidden, standardised);
    let sum = intercept;
    for (let j = 0; j < read.length; j++) sum += read[j]! * coefficients[j]!;
    return sum;
  });
}

/** The probe whose scores are slope · score + offset. */
export function scaleScore(weights: ProbeWeights, { slope, offset }: Calibration): ProbeWeights {
  return {
    ...weights,
    coefficients: weights.coefficients.map((coefficient) => slope * coefficient),
    intercept: slope * weights.intercept + offset,
  };
}

function passThrough({ weights, biases }: HiddenLayer, standardised: Float64Array): Float64Array {
  const units = biases.length;
  const active = Float64Array.from(biases);
  for (let j = 0; j < standardised.length; j++) {
    const value = standardised[j]!;
    for (let u = 0; u < units; u++) active[u] = active[u]! + value * weights[j * units + u]!;
  }
  return active.map((each) => Math.max(0, each)); // NaN stays NaN
}
