import type { EntailmentProbs } from "../meaning/entailer.ts";
import { likeliestLabel, sameByLabels } from "../meaning/entailment-rule.ts";
import { type EntailmentMatrix, requireSquare } from "./pair-matrix.ts";

/** When two answers mean the same, by what an NLI model says in both directions. */
export type AgreementRule =
  /** Entailment both ways. */
  | { readonly name: "strict" }
  /** No contradiction, and not neutral both ways. */
  | { readonly name: "lenient" }
  /** No contradiction. */
  | { readonly name: "no-contradiction" }
  /** p(entailment) of at least `threshold` both ways. */
  | { readonly name: "threshold"; readonly threshold: number };

/** Which cluster an answer joins when it matches several. */
export type ClusterAssignment =
  /** The first one whose first member it matches. */
  | "first"
  /** The last one whose first member it matches: a later founder takes members away from an earlier one. */
  | "last"
  /** That of the last earlier answer, first member or not, that it matches. */
  | "chain";

/**
 * Groups samples by NLI verdicts as published code does.
 * @param entailment [K][K] with sample i as the premise
 * @returns [K] cluster of each sample, numbered in order of first appearance
 * @throws RangeError if K = 0 or the matrix is not square
 * @see Farquhar et al. 2024, Methods ("first"); `get_semantic_ids` of OATML/semantic-entropy-probes and
 *   jlko/semantic_uncertainty ("last"); `get_semantic_similarities.py` of lorenzkuhn/semantic_uncertainty ("chain")
 */
export function clusterByVerdicts(
  entailment: EntailmentMatrix,
  rule: AgreementRule,
  assignment: ClusterAssignment,
): number[] {
  requireSquare(entailment);
  const same = (i: number, j: number): boolean => agree(rule, entailment[i]![j]!, entailment[j]![i]!);
  const groups =
    assignment === "chain" ? chain(entailment.length, same) : found(entailment.length, same, assignment);
  const numbers = new Map<number, number>();
  return groups.map((group) => {
    if (!numbers.has(group)) numbers.set(group, numbers.size);
    return numbers.get(group)!;
  });
}

function agree(rule: AgreementRule, there: EntailmentProbs, back: EntailmentProbs): boolean {
  if (rule.name === "threshold")
    return there.entailment >= rule.threshold && back.entailment >= rule.threshold;
  const [forward, backward] = [likeliestLabel(there), likeliestLabel(back)];
  if (rule.name === "no-contradiction") return forward !== "contradiction" && backward !== "contradiction";
  return sameByLabels(rule.name, forward, backward);
}

/** @returns [n] the sample that founded each one's cluster */
function found(n: number, same: (i: number, j: number) => boolean, assignment: "first" | "last"): number[] {
  const founders: number[] = [];
  return Array.from({ length: n }, (_, j) => {
    const matching = founders.filter((founder) => same(founder, j));
    if (matching.length === 0) founders.push(j);
    return (assignment === "first" ? matching[0] : matching.at(-1)) ?? j;
  });
}

/** @returns [n] group of each sample; every pair is looked at, in order, and a later match overwrites an earlier one */
function chain(n: number, same: (i: number, j: number) => boolean): number[] {
  const groups = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) if (same(i, j)) groups[j] = groups[i]!;
  return groups;
}
