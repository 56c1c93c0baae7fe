import type { EntailmentProbs } from "../meaning/entailer.ts";
import { likeliestLabel, sameByLabels } from "../meaning/nli-equivalence.ts";
import { type EntailmentMatrix, requireSquare } from "./question-samples.ts";

/** One published variant of semantic entropy: how answers are grouped, weighted and aggregated. */
export interface SeMode {
  /** How answers are grouped where an NLI model compares them. */
  readonly rule: AgreementRule;
  readonly assignment: ClusterAssignment;
  /** Whether the NLI model reads "{question} {answer}", or the answer alone. */
  readonly withQuestion: boolean;
  /** An answer's log weight: the mean of its tokens' log-probabilities, or their sum. */
  readonly weights: "mean" | "sum";
  /** Entropy of the clusters' normalised weights, or the mean of -ln of their shifted weights over clusters. */
  readonly estimator: "entropy" | "shifted-surprisal";
}

/** The published variants by name; docs/estimates.md has their differences. */
export const SE_MODES: Readonly<Record<"nature" | "oatml" | "kuhn" | "notebook", SeMode>> = {
  /** Farquhar et al. 2024. */
  nature: {
    rule: { name: "strict" },
    assignment: "first",
    withQuestion: true,
    weights: "mean",
    estimator: "entropy",
  },
  /** `semantic_entropy` of OATML/semantic-entropy-probes (Kossen et al. 2024). */
  oatml: {
    rule: { name: "strict" },
    assignment: "last",
    withQuestion: true,
    weights: "mean",
    estimator: "shifted-surprisal",
  },
  /** `predictive_entropy_over_concepts` of lorenzkuhn/semantic_uncertainty (Kuhn et al. 2023). */
  kuhn: {
    rule: { name: "no-contradiction" },
    assignment: "chain",
    withQuestion: true,
    weights: "mean",
    estimator: "shifted-surprisal",
  },
  /** The Python notebook that this package's notebook follows. */
  notebook: {
    rule: { name: "threshold", threshold: 0.6 },
    assignment: "first",
    withQuestion: false,
    weights: "sum",
    estimator: "entropy",
  },
};

export type SeModeName = keyof typeof SE_MODES;
export const SE_MODE_NAMES: readonly SeModeName[] = ["nature", "oatml", "kuhn", "notebook"];

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
  /** That of the last earlier answer, first member or not, that it matches; equal answers count as one. */
  | "chain";

/**
 * Groups samples by NLI verdicts as the published code does.
 * @param entailment [K][K] with sample i as the premise
 * @param answers    [K]
 * @returns [K] cluster of each sample, numbered in order of first appearance
 * @throws RangeError if K = 0 or the matrix is not square
 * @see Farquhar et al. 2024, Methods ("first"); `get_semantic_ids` of OATML/semantic-entropy-probes and
 *   jlko/semantic_uncertainty ("last"); `get_semantic_similarities.py` of lorenzkuhn/semantic_uncertainty ("chain")
 */
export function clusterByVerdicts(
  entailment: EntailmentMatrix,
  rule: AgreementRule,
  assignment: ClusterAssignment,
  answers: readonly (string | null)[],
): number[] {
  requireSquare(entailment);
  const same = (i: number, j: number): boolean => agree(rule, entailment[i]![j]!, entailment[j]![i]!);
  const groups = assignment === "chain" ? chain(answers, same) : found(answers.length, same, assignment);
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
function chain(answers: readonly (string | null)[], same: (i: number, j: number) => boolean): number[] {
  const firsts = answers.map((answer) => answers.indexOf(answer));
  const different = [...new Set(firsts)];
  const groups = [...firsts];
  for (const [at, i] of different.entries())
    for (const j of different.slice(at + 1)) if (same(i, j)) groups[j] = groups[i]!;
  return firsts.map((first) => groups[first]!);
}
