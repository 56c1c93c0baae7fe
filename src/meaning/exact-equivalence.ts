import { normalizeAnswer } from "../text/normalize-answer.ts";
import type { Equivalence } from "./equivalence.ts";

/** The same words; see `normalizeAnswer`. */
export function createExactEquivalence(): Equivalence {
  return {
    name: "exact",
    provenance: { name: "exact", version: 1 },
    sameMeaning: async (pairs) => pairs.map(([a, b]) => normalizeAnswer(a) === normalizeAnswer(b)),
  };
}
