import type { EntailmentVerdict } from "./entailer.ts";
import type { JudgeLabel } from "./judge-prompt.ts";

/**
 * What decided a pair: `exact` the same words, `math` equal as mathematics, `nli` a model of inference, `cosine`
 * sentence vectors, `judge` a language model, `custom` a relation of the caller's own.
 */
export const VERDICT_RULES = ["exact", "math", "nli", "cosine", "judge", "custom"] as const;
export type VerdictRule = (typeof VERDICT_RULES)[number];

/** Whether two answers say the same, which rule says so, and what it saw. */
export type PairVerdict =
  | { readonly same: boolean; readonly rule: "exact" | "math" | "custom" }
  | {
      readonly same: boolean;
      readonly rule: "nli";
      /** The first answer as premise, the second as hypothesis. */
      readonly forward: EntailmentVerdict;
      /** The other way round. */
      readonly backward: EntailmentVerdict;
    }
  | {
      readonly same: boolean;
      readonly rule: "cosine";
      /** In [-1, 1]. */
      readonly similarity: number;
      /** Whether one of the texts had to be cut to the model's length. */
      readonly truncated: boolean;
    }
  | {
      readonly same: boolean;
      readonly rule: "judge";
      /** One a question that the judge was asked; null where its reply was none of the words. */
      readonly labels: readonly (JudgeLabel | null)[];
    };
