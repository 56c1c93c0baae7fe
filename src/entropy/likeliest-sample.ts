/**
 * The sample that the model finds most probable as a whole sequence, the first of equals: what its answer would be
 * taken to be when no answer was drawn for that purpose.
 * @param sumLogprobs [K] log-probability of each whole sample, nats
 * @returns its index
 * @throws RangeError if K = 0 or a value is NaN
 */
export function likeliestSample(sumLogprobs: readonly number[]): number {
  if (sumLogprobs.length === 0) throw new RangeError("no samples");
  if (sumLogprobs.some(Number.isNaN)) throw new RangeError("a log-probability of NaN");
  return sumLogprobs.indexOf(Math.max(...sumLogprobs));
}
