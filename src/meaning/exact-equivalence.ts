import { normalizeAnswer } from "../text/open-answer.ts";
import type { Equivalence } from "./equivalence.ts";

/** The same words; see `normalizeAnswer`. */
export function createExactEquivalence(): Equivalence {
  return {
    name: "exact",
    // version 1 compared whole texts; version 2 was given extracted answers, already normalised
    provenance: { name: "exact", version: 3 },
    compare: async (pairs) =>
      pairs.map(({ first, second }) => ({ same: sameWords(first, second), rule: "exact" })),
  };
}

/** Whether two answers are the same once case, punctuation and articles are gone. */
export const sameWords = (a: string, b: string): boolean => normalizeAnswer(a) === normalizeAnswer(b);
