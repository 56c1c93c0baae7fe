import { rankedAuroc, requireLabels } from "../math/auroc.ts";
import { rankScores } from "../math/rank-scores.ts";
import { createRng } from "../math/rng.ts";
import { createLabelPermuter, type LabelPermuter } from "../probes/sweep/test-permutations.ts";

/** What a permutation test found. */
export interface PermutationResult {
  /** One-sided, for AUROC above chance; null where fewer than two questions can be exchanged. */
  readonly p_value: number | null;
  readonly permutations: number;
  readonly scheme: LabelPermuter["scheme"];
  readonly exchangeable_questions: number;
  readonly fixed_questions: number;
}

export const DEFAULT_PERMUTATIONS = 1000;

/**
 * Is the AUROC higher than labels unrelated to the scores would give? Labels are permuted by question, see
 * {@link createLabelPermuter}; p = (1 + #{permuted >= observed}) / (1 + permutations).
 * @param scores [n] no NaN
 * @param labels [n] 0 or 1, both present
 * @throws RangeError if lengths differ or a score is NaN
 * @see Phipson and Smyth 2010, "Permutation p-values should never be zero"
 */
export function permutationTest(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  questionIds: readonly string[],
  {
    permutations = DEFAULT_PERMUTATIONS,
    seed = 42,
  }: { readonly permutations?: number; readonly seed?: number } = {},
): PermutationResult {
  requireLabels(scores, labels);
  const ranked = rankScores(scores);
  const observed = rankedAuroc(ranked, labels);
  const permuter = createLabelPermuter(labels, questionIds);
  const outcome = {
    permutations,
    scheme: permuter.scheme,
    exchangeable_questions: permuter.exchangeableQuestions,
    fixed_questions: permuter.fixedQuestions,
  };
  if (permuter.exchangeableQuestions < 2) return { p_value: null, ...outcome };
  const rng = createRng("permutation-test", seed);
  let atLeast = 0;
  for (let i = 0; i < permutations; i++) {
    // The same labels in another order of summation may differ in the last bits; they must count as equal.
    // Where every row gets one class (unequal blocks of single labels), the AUROC is NaN, which counts against us.
    if (!(rankedAuroc(ranked, permuter.draw(rng)) < observed - 1e-12)) atLeast++;
  }
  return { p_value: (1 + atLeast) / (1 + permutations), ...outcome };
}
