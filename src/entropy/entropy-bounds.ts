import { entropy } from "../math/entropy.ts";
import { sum } from "../math/vector.ts";

/** Range that the discrete semantic entropy of a question can still reach. */
interface EntropyBounds {
  /** Nats. */
  readonly min: number;
  readonly max: number;
}

/**
 * The least and the greatest discrete semantic entropy that K samples can have, given the clusters of the first n.
 * Both are attained: the least if all further samples join the largest cluster, since moving weight to the largest
 * lowers the entropy; the greatest if each founds its own cluster. This assumes that further samples never merge clusters,
 * which holds for greedy ones.
 *
 * The entropy of the n samples alone lies between the two, so a threshold outside them classifies the n samples as it does
 * the K.
 * @param sizes [C] samples in each cluster, summing to n; none at the beginning
 * @param total K >= n, at least 1
 * @throws RangeError if the sizes are not counts from 1, or their sum is above K
 */
export function entropyBounds(sizes: readonly number[], total: number): EntropyBounds {
  const drawn = sum(sizes);
  const wrong = sizes.find((size) => !Number.isInteger(size) || size < 1);
  if (wrong !== undefined) throw new RangeError(`a cluster of ${wrong} samples`);
  if (!(Number.isInteger(total) && total >= Math.max(1, drawn)))
    throw new RangeError(`${drawn} samples of ${total}`);
  const rest = total - drawn;
  const largest = Math.max(0, ...sizes);
  const others = [...sizes];
  if (sizes.length > 0) others.splice(sizes.indexOf(largest), 1);
  return {
    min: entropyOf([largest + rest, ...others], total),
    max: entropyOf([...sizes, ...new Array<number>(rest).fill(1)], total),
  };
}

/** What is known about whether K samples have more entropy than a threshold. */
type EntropyDecision = "above" | "not-above" | "open";

/**
 * Whether the discrete semantic entropy of K samples will be above a threshold, whatever the remaining samples are.
 * @param sizes [C] clusters of the samples so far
 */
export function decideEntropy(sizes: readonly number[], total: number, threshold: number): EntropyDecision {
  const { min, max } = entropyBounds(sizes, total);
  if (min > threshold + ROUNDING) return "above";
  return max < threshold - ROUNDING ? "not-above" : "open";
}

/** Entropies this close to a threshold, as when it is itself a question's entropy, are left undecided. */
const ROUNDING = 1e-9;

/**
 * The fewest further samples after which the question could be decided; fewer cannot decide it, whatever they are.
 * @param sizes [C] clusters of the samples so far
 * @returns 0 if it is decided, else at most K - n
 */
export function samplesUntilDecidable(sizes: readonly number[], total: number, threshold: number): number {
  const rest = total - sum(sizes);
  for (let further = 0; further < rest; further++) {
    // the two fastest ways to decide: all samples agree, or all differ
    const agreeing = joinLargest(sizes, further);
    const differing = [...sizes, ...new Array<number>(further).fill(1)];
    if ([agreeing, differing].some((next) => decideEntropy(next, total, threshold) !== "open"))
      return further;
  }
  return rest;
}

function joinLargest(sizes: readonly number[], further: number): number[] {
  const largest = sizes.indexOf(Math.max(...sizes));
  if (largest === -1) return further === 0 ? [] : [further];
  return sizes.map((size, i) => (i === largest ? size + further : size));
}

const entropyOf = (sizes: readonly number[], total: number): number =>
  entropy(sizes.map((size) => size / total));
