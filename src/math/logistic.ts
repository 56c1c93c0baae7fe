/** The logistic function 1 / (1 + e^-x), without overflow for any x. */
export function logistic(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const growth = Math.exp(x);
  return growth / (1 + growth);
}

/** Probabilities are clipped to this distance from 0 and 1, which keeps the log odds within about ±27.6. */
const NEAREST = 1e-12;

/**
 * Log odds of a probability, the inverse of the logistic function.
 * @param probability in [0, 1]; clipped to a distance of 1e-12 from both ends
 * @returns in about [-27.6, 27.6]; NaN for NaN
 */
export function logit(probability: number): number {
  const inside = Math.min(Math.max(probability, NEAREST), 1 - NEAREST);
  return Math.log(inside) - Math.log1p(-inside);
}

/** P(label 1) = logistic(slope · value + offset). */
export interface PlattScaling {
  readonly slope: number;
  readonly offset: number;
}

const MAX_STEPS = 100;
/** Relative to the number of rows. */
const GRADIENT_TOLERANCE = 1e-12;
/** Keeps the curvature invertible where all values are the same. */
const RIDGE = 1e-12;

/**
 * Fits a logistic curve from a single value to labels. The targets are (N1 + 1) / (N1 + 2) and 1 / (N0 + 2) instead of
 * 1 and 0, so that the curve stays finite where the values separate the labels.
 * @param values [N] finite
 * @param labels [N] 0 or 1, both present
 * @throws RangeError if the lengths differ or there is one class
 * @see Platt 1999, "Probabilistic outputs for support vector machines"; the steps of Lin, Lin and Weng 2007
 */
export function fitPlattScaling(values: ArrayLike<number>, labels: ArrayLike<number>): PlattScaling {
  const count = labels.length;
  const ones = Array.from(labels).reduce((sum, label) => sum + label, 0);
  if (values.length !== count || ones === 0 || ones === count) {
    throw new RangeError(
      `Got ${values.length} values for ${count} labels, ${ones} of them 1; both classes are needed.`,
    );
  }
  const high = (ones + 1) / (ones + 2);
  const low = 1 / (count - ones + 2);
  const targetOf = (row: number): number => (labels[row] === 1 ? high : low);
  const lossAt = (slope: number, offset: number): number => {
    let loss = 0;
    for (let row = 0; row < count; row++) {
      const score = slope * values[row]! + offset;
      // log(1 + e^s) - t s, without overflow
      loss += Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - targetOf(row) * score;
    }
    return loss;
  };
  let slope = 0;
  let offset = Math.log((ones + 1) / (count - ones + 1));
  let loss = lossAt(slope, offset);
  for (let step = 0; step < MAX_STEPS; step++) {
    let g0 = 0;
    let g1 = 0;
    let h00 = RIDGE;
    let h01 = 0;
    let h11 = RIDGE;
    for (let row = 0; row < count; row++) {
      const value = values[row]!;
      const probability = logistic(slope * value + offset);
      const error = probability - targetOf(row);
      const curve = probability * (1 - probability);
      g0 += error;
      g1 += error * value;
      h00 += curve;
      h01 += curve * value;
      h11 += curve * value * value;
    }
    if (Math.max(Math.abs(g0), Math.abs(g1)) <= GRADIENT_TOLERANCE * count) break;
    const determinant = h00 * h11 - h01 * h01;
    const stepSlope = (h00 * g1 - h01 * g0) / determinant;
    const stepOffset = (h11 * g0 - h01 * g1) / determinant;
    let size = 1;
    let next = lossAt(slope - stepSlope, offset - stepOffset);
    while (!(next <= loss) && size > 1e-10) {
      size /= 2;
      next = lossAt(slope - size * stepSlope, offset - size * stepOffset);
    }
    if (!(next <= loss)) break;
    slope -= size * stepSlope;
    offset -= size * stepOffset;
    if (next === loss && size === 1 && Math.abs(stepSlope) < 1e-12 * Math.abs(slope)) break;
    loss = next;
  }
  return { slope, offset };
}
