import type { Json } from "../store/json.ts";

/** A way to tell whether two answers to a question say the same. */
export interface Equivalence {
  readonly name: string;
  /** Everything that decides its verdicts (model and revision, thresholds …), for the artefacts it shapes. */
  readonly provenance: Json;
  /**
   * Verdicts on many pairs at once, so that a model can batch them.
   * @param pairs   [N] answers, the one that came first in front; never equal texts
   * @param context the question that all of them answer
   * @returns [N] symmetric: the order within a pair does not matter
   */
  sameMeaning(
    pairs: readonly (readonly [string, string])[],
    context: { readonly question: string },
  ): Promise<readonly boolean[]>;
}
