import { isMathematical, mathEquivalent } from "../text/math-equivalent.ts";
import { normalizeAnswer } from "../text/open-answer.ts";
import type { Equivalence } from "./equivalence.ts";

/**
 * Equal as mathematics; see `mathEquivalent`. For short extracted answers. A pair of which one is no mathematics and
 * has no value is compared as text, and its verdict's rule is `exact`.
 */
export function createMathEquivalence(): Equivalence {
  return {
    name: "math",
    provenance: { name: "math", version: 2 },
    compare: async (pairs) =>
      pairs.map(({ first, second }) => {
        const same = mathEquivalent(first, second);
        // "four" is a word, and 4 all the same
        const byValue = same && normalizeAnswer(first) !== normalizeAnswer(second);
        return {
          same,
          rule: byValue || (isMathematical(first) && isMathematical(second)) ? "math" : "exact",
        };
      }),
  };
}
