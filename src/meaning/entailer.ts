import type { Json } from "../store/json.ts";

/** What a model makes of a premise and a hypothesis: three probabilities that sum to 1. */
export interface EntailmentProbs {
  readonly entailment: number;
  readonly neutral: number;
  readonly contradiction: number;
}

export interface EntailmentVerdict extends EntailmentProbs {
  /** Whether the pair had to be cut to the model's length. */
  readonly truncated: boolean;
}

/** A model of natural language inference. */
export interface Entailer extends AsyncDisposable {
  /** As the user named it. */
  readonly name: string;
  /** Everything that decides its probabilities: model, revision, hashes, arithmetic, label order, longest text. */
  readonly provenance: Json;
  /** SHA-256 of all that decides a verdict. */
  readonly fingerprint: string;
  /**
   * false where the model tells entailment from its absence only: neutral is then the probability of no entailment,
   * and contradiction is 0.
   */
  readonly tellsContradiction: boolean;
  /**
   * @param pairs [N] as many as there are: they are batched by length, and equal ones are computed once
   * @returns [N] one verdict a pair, in their order
   */
  classify(
    pairs: readonly (readonly [premise: string, hypothesis: string])[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly EntailmentVerdict[]>;
}
