import { isMathematical } from "../text/is-mathematical.ts";
import { mathEquivalent } from "../text/math-equivalent.ts";
import type { Equivalence } from "./equivalence.ts";

/**
 * Equal as mathematics; see `mathEquivalent`. For short extracted answers. A pair of which one is no mathematics is
 * compared as text, and its verdict's rule is `exact`.
 */
export function createMathEquivalence(): Equivalence {
  return {
    name: "math",
    provenance: { name: "math", version: 2 },
    compare: async (pairs) =>
      pairs.map(({ first, second }) => ({
        same: mathEquivalent(first, second),
        rule: isMathematical(first) && isMathematical(second) ? "math" : "exact",
      })),
  };
}
