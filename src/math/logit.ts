/** A probability nearer to 0 or 1 than this counts as this: its log odds stay finite, within about ±27.6. */
const NEAREST = 1e-12;

/**
 * Log odds of a probability, the inverse of the logistic function.
 * @param probability in [0, 1]; taken to be at least 1e-12 away from both ends
 * @returns in about [-27.6, 27.6]; NaN for NaN
 */
export function logit(probability: number): number {
  const inside = Math.min(Math.max(probability, NEAREST), 1 - NEAREST);
  return Math.log(inside) - Math.log1p(-inside);
}
