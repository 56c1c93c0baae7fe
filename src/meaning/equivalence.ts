import type { Json } from "../formats/json.ts";
import type { PairVerdict } from "./pair-verdict.ts";

/** Two answers to one question, the one that came first in front; their texts differ. */
export interface AnswerPair {
  readonly question: string;
  readonly first: string;
  readonly second: string;
}

/** A way to tell whether two answers to a question say the same. */
export interface Equivalence {
  readonly name: string;
  /** Everything that decides its verdicts (model and revision, thresholds …), for the artefacts it shapes. */
  readonly provenance: Json;
  /** Pairs that are worth asking about in one call where there are many; as many as convenient when not given. */
  readonly batchPairs?: number | undefined;
  /**
   * Verdicts on many pairs at once, of one question or of many, so that a model can batch them.
   * @returns [N] in the pairs' order. `same` is symmetric: the order within a pair does not matter
   */
  compare(
    pairs: readonly AnswerPair[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly PairVerdict[]>;
}
