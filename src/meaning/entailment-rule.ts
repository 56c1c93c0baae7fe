import type { EntailmentProbs } from "./entailer.ts";

/**
 * When two answers mean the same, by what entails what: `strict`, each entails the other; `lenient`, neither
 * contradicts the other, and they are not neutral both ways; `threshold`, both probabilities of entailment are at
 * least a given one.
 * @see Farquhar et al. 2024 (strict); Kuhn et al. 2023 and its code (lenient)
 */
export const ENTAILMENT_RULES = ["strict", "lenient", "threshold"] as const;
export type EntailmentRule = (typeof ENTAILMENT_RULES)[number];

export type EntailmentLabel = "entailment" | "neutral" | "contradiction";

/** `strict` or `lenient` on the likeliest label of each direction. */
export function sameByLabels(
  rule: Exclude<EntailmentRule, "threshold">,
  forward: EntailmentLabel | null,
  backward: EntailmentLabel | null,
): boolean {
  if (rule === "strict") return forward === "entailment" && backward === "entailment";
  if (forward === null || backward === null) return false;
  const contradicts = forward === "contradiction" || backward === "contradiction";
  return !contradicts && (forward === "entailment" || backward === "entailment");
}

/** Of equal probabilities the more cautious label: contradiction, neutral, entailment. */
export function likeliestLabel({ entailment, neutral, contradiction }: EntailmentProbs): EntailmentLabel {
  if (contradiction >= neutral && contradiction >= entailment) return "contradiction";
  return neutral >= entailment ? "neutral" : "entailment";
}
