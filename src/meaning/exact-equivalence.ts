import { normalizeAnswer } from "../text/normalize-answer.ts";
import type { Equivalence } from "./equivalence.ts";

/** The same words; see `normalizeAnswer`. Version 1 compared whole texts where version 2 is given extracted answers. */
export function createExactEquivalence(): Equivalence {
  return {
    name: "exact",
    provenance: { name: "exact", version: 2 },
    sameMeaning: async (pairs) => pairs.map(([a, b]) => normalizeAnswer(a) === normalizeAnswer(b)),
  };
}
