/**
 * How an answer is held against its reference: `math` as mathematics, the others as open answers; see
 * `mathEquivalent` and `matchesOpenAnswer`.
 */
export const CORRECTNESS_RULES = ["math", "squad-f1", "contains"] as const;
export type CorrectnessRule = (typeof CORRECTNESS_RULES)[number];
