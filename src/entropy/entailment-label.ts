import type { EntailmentProbs } from "./pair-matrix.ts";

/** The most probable verdict; of equals the one that claims least, as argmax over MNLI's label order has it. */
export function entailmentLabel({
  entailment,
  neutral,
  contradiction,
}: EntailmentProbs): "entailment" | "neutral" | "contradiction" {
  if (contradiction >= neutral && contradiction >= entailment) return "contradiction";
  return neutral >= entailment ? "neutral" : "entailment";
}
