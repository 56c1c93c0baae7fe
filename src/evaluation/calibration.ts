/** Ten bins: the resolution that a few hundred answers can fill. */
const DEFAULT_BINS = 10;

/**
 * Expected calibration error: mean over equal-width bins, by their share of rows, of |mean probability - share of
 * positives|.
 * @param probabilities [n] of label 1, in [0, 1]
 * @param labels        [n] 0 or 1
 * @returns in [0, 1]
 * @throws RangeError if n = 0, the lengths differ or a probability is outside [0, 1]
 * @see Guo et al. 2017, "On calibration of modern neural networks", equation 3
 */
export function expectedCalibrationError(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  { bins = DEFAULT_BINS }: { readonly bins?: number } = {},
): number {
  requireProbabilities(probabilities, labels);
  const excess = new Float64Array(bins); // sum of (probability - label) in each bin
  for (let i = 0; i < labels.length; i++) {
    const bin = Math.min(Math.floor(probabilities[i]! * bins), bins - 1);
    excess[bin] = excess[bin]! + probabilities[i]! - labels[i]!;
  }
  return excess.reduce((sum, value) => sum + Math.abs(value), 0) / labels.length;
}

/**
 * Brier score: mean squared difference between probability and label.
 * @param probabilities [n] of label 1, in [0, 1]
 * @param labels        [n] 0 or 1
 * @returns in [0, 1]; always answering the base rate r gives r (1 - r)
 * @throws RangeError if n = 0, the lengths differ or a probability is outside [0, 1]
 */
export function brierScore(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  requireProbabilities(probabilities, labels);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) sum += (probabilities[i]! - labels[i]!) ** 2;
  return sum / labels.length;
}

function requireProbabilities(probabilities: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (labels.length === 0 || labels.length !== probabilities.length) {
    throw new RangeError(`Got ${probabilities.length} probabilities for ${labels.length} labels.`);
  }
  for (let i = 0; i < probabilities.length; i++) {
    const value = probabilities[i]!;
    if (!(value >= 0 && value <= 1)) throw new RangeError(`Probability ${i} is ${value}, outside [0, 1].`);
  }
}
