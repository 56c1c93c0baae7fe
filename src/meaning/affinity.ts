import type { JudgedPair } from "./compare-pairs.ts";
import type { PairVerdict } from "./pair-verdict.ts";

/**
 * How alike a question's answers are, for spectral groups: the mean probability of entailment of both directions, the
 * cosine where it is above 0, and 1 or 0 by rules that only say yes or no.
 * @param pairs all pairs of n items
 * @returns [n][n] symmetric, in [0, 1], 1 on the diagonal
 */
export function affinityMatrix(n: number, pairs: readonly JudgedPair[]): number[][] {
  const matrix = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i++) matrix[i]![i] = 1;
  for (const { pair, ...verdict } of pairs) {
    const [i, j] = pair;
    matrix[i]![j] = matrix[j]![i] = affinityOf(verdict);
  }
  return matrix;
}

function affinityOf(verdict: PairVerdict): number {
  if (verdict.rule === "nli") return (verdict.forward.entailment + verdict.backward.entailment) / 2;
  if (verdict.rule === "cosine") return Math.max(0, verdict.similarity);
  return verdict.same ? 1 : 0;
}
