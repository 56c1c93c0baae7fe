import type { Json } from "../formats/json.ts";

/** How likely the hypothesis follows from the premise, is left open by it, or is denied by it; sums to 1. */
export interface EntailmentProbs {
  readonly entailment: number;
  readonly neutral: number;
  readonly contradiction: number;
}

export interface EntailmentVerdict extends EntailmentProbs {
  /** The pair was longer than the model takes, and its end was cut off. */
  readonly truncated: boolean;
}

/** Tells how far one text follows from another. */
export interface Entailer extends AsyncDisposable {
  /** As the user named the model. */
  readonly name: string;
  /** Everything that decides its verdicts, for the artefacts that they shape. */
  readonly provenance: Json;
  /** SHA-256 of what decides its verdicts: equal ones give equal verdicts, whatever the model is called. */
  readonly fingerprint: string;
  /**
   * false for a model that knows entailment and its absence only: `neutral` is then the probability of its absence and
   * `contradiction` is 0, and a rule that asks for contradictions cannot be used.
   */
  readonly tellsContradiction: boolean;
  /**
   * @param pairs [N] ordered; equal ones are computed once
   * @returns [N]
   */
  classify(
    pairs: readonly (readonly [premise: string, hypothesis: string])[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly EntailmentVerdict[]>;
}
