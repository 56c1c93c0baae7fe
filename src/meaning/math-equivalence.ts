import { mathEquivalent } from "../text/math-equivalent.ts";
import type { Equivalence } from "./equivalence.ts";

/** Equal as mathematics; see `mathEquivalent`. For short extracted answers. */
export function createMathEquivalence(): Equivalence {
  return {
    name: "math",
    provenance: { name: "math", version: 2 },
    sameMeaning: async (pairs) => pairs.map(([a, b]) => mathEquivalent(a, b)),
  };
}
