import type { EntailmentMatrix } from "./pair-matrix.ts";

/** How far a sample agrees with one answer, in [0, 1]. */
export type Agreement = (answer: number, sample: number) => number;

/**
 * How much the other samples differ from one answer: 1 - the mean of their agreement with it. A sample of the same
 * text agrees, whatever a model thinks of a text held against itself.
 * @param answers [K] the answer itself included; null where a sample has none
 * @param main    index of the answer that the others are held against
 * @returns in [0, 1]
 * @throws RangeError if K < 2
 * @see the black-box scorers `noncontradiction`, `entailment`, `exact_match` and `cosine_sim` of uqlm, 1 minus which
 *   this is
 */
export function answerInconsistency(
  answers: readonly (string | null)[],
  main: number,
  agreement: Agreement,
): number {
  if (answers.length < 2) throw new RangeError(`${answers.length} samples have nothing to be compared with`);
  let sum = 0;
  for (const [i, answer] of answers.entries())
    if (i !== main) sum += answer === answers[main] ? 1 : agreement(main, i);
  return 1 - sum / (answers.length - 1);
}

/** Chen and Mueller 2023: no contradiction, the mean of both directions. */
export const noncontradiction =
  (entailment: EntailmentMatrix): Agreement =>
  (i, j) =>
    1 - (entailment[i]![j]!.contradiction + entailment[j]![i]!.contradiction) / 2;

/** Entailment, the mean of both directions. */
export const mutualEntailment =
  (entailment: EntailmentMatrix): Agreement =>
  (i, j) =>
    (entailment[i]![j]!.entailment + entailment[j]![i]!.entailment) / 2;

/** Cole et al. 2023: the same text, and nothing else. */
export const exactMatch: Agreement = () => 0;

/** Cosine similarity, brought from [-1, 1] to [0, 1] as uqlm does. */
export const cosineAgreement =
  (similarity: readonly (readonly number[])[]): Agreement =>
  (i, j) =>
    0.5 + similarity[i]![j]! / 2;
