import { SepError } from "../errors.ts";
import type { Equivalence } from "../meaning/equivalence.ts";
import { createExactEquivalence } from "../meaning/exact-equivalence.ts";
import { createMathEquivalence } from "../meaning/math-equivalence.ts";
import type { CorrectnessRule } from "../text/correctness-rule.ts";

export const EQUIVALENCE_NAMES = ["math", "exact"] as const;
export type EquivalenceName = (typeof EQUIVALENCE_NAMES)[number];

/**
 * When two extracted answers mean the same: `math` as mathematics, `exact` as normalised text; `auto` is `math` for
 * answers that are judged as mathematics, else `exact`.
 * @throws SepError `bad-option` for another name
 */
export function chooseEquivalence(
  asked: EquivalenceName | "auto",
  kinds: readonly CorrectnessRule[],
): Equivalence {
  const name = asked === "auto" ? (kinds.every((kind) => kind === "math") ? "math" : "exact") : asked;
  switch (name) {
    case "math":
      return createMathEquivalence();
    case "exact":
      return createExactEquivalence();
  }
  throw new SepError(
    "bad-option",
    `equivalence is ${JSON.stringify(name)}, expected one of ${EQUIVALENCE_NAMES.join(", ")}.`,
  );
}
