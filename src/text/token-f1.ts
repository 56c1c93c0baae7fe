import { normalizeAnswer } from "./normalize-answer.ts";

/**
 * Overlap of two answers' words: the harmonic mean of precision and recall over the normalised words, repeated
 * ones counted as often as they occur in both.
 * @returns in [0, 1]; 1 for the same words in any order
 * @see Rajpurkar et al. 2016, SQuAD, section 6.1 (macro-averaged F1)
 */
export function tokenF1(said: string, reference: string): number {
  const saidWords = normalizeAnswer(said).split(" ");
  const referenceWords = normalizeAnswer(reference).split(" ");
  const left = new Map<string, number>();
  for (const word of referenceWords) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of saidWords) {
    const count = left.get(word) ?? 0;
    if (word === "" || count === 0) continue;
    left.set(word, count - 1);
    shared++;
  }
  return (2 * shared) / (saidWords.length + referenceWords.length);
}
