import type { Calibration } from "./calibration.ts";

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
  /** [width] of a probe that pools by attention: the logit of a token's weight is query · z */
  readonly query?: Float32Array;
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

/**
 * Ways of reading a target from hidden states, all on standardised features:
 * - `logistic`: L2-penalised logistic regression.
 * - `ridge`: L2-penalised least squares, of the 0/1 label or of the number behind it (semantic entropy in nats).
 * - `mean-difference`: the direction from one class's mean to the other's (the "mass mean"), without any fit: the
 *   limit of both regressions as their penalty grows.
 * - `mlp`: one hidden layer of rectified linear units, to see what a linear probe misses.
 */
export const PROBE_KINDS = ["logistic", "ridge", "mean-difference", "mlp"] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/**
 * Penalties tried where none is given: C weighs the rows' losses against half the squared weights, for `ridge` it is
 * 1 / alpha. Hidden states have far more directions than a few thousand rows can pin down, so strong penalties win
 * nearly everywhere, and weaker ones than these take longest. A mean difference has none; 0 stands for the limit.
 */
export const PENALTY_GRIDS: Readonly<Record<ProbeKind, readonly number[]>> = {
  logistic: [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10],
  ridge: [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1],
  "mean-difference": [0],
  mlp: [1e-3, 1e-2, 1e-1],
};
