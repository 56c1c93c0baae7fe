import { type EntailmentMatrix, requireSquare } from "./pair-matrix.ts";

/**
 * Number of semantic sets: connected components of the graph that joins two samples where entailment is more
 * probable than contradiction in both directions.
 * @returns from 1 to K
 * @throws RangeError if K = 0 or the matrix is not square
 * @see Lin et al. 2024, section 4.2; `NumSemSets` of lm-polygraph
 */
export function countSemanticSets(entailment: EntailmentMatrix): number {
  requireSquare(entailment);
  const joined = (i: number, j: number): boolean =>
    entailment[i]![j]!.entailment > entailment[i]![j]!.contradiction &&
    entailment[j]![i]!.entailment > entailment[j]![i]!.contradiction;
  const left = new Set(entailment.keys());
  let sets = 0;
  for (const seed of left) {
    sets += 1;
    const queue = [seed];
    left.delete(seed);
    for (const i of queue)
      for (const j of left)
        if (joined(i, j)) {
          left.delete(j);
          queue.push(j);
        }
  }
  return sets;
}
