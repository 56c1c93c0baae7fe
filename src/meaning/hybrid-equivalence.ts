import { isMathematical, mathEquivalent } from "../text/math-equivalent.ts";
import type { AnswerPair, Equivalence } from "./equivalence.ts";
import { sameWords } from "./exact-equivalence.ts";
import type { PairVerdict } from "./pair-verdict.ts";

/**
 * The first rule that can decide a pair decides it: the same words are the same; two numbers or expressions are
 * compared as mathematics; the rest goes to `undecided`, a relation that a model stands behind. Numbers never get
 * there, since models of inference take 1969 and 1970 for much the same.
 * @param undecided null where it is known that no pair will be left for it
 */
export function createHybridEquivalence(undecided: Equivalence | null): Equivalence {
  return {
    name: "hybrid",
    provenance: { name: "hybrid", version: 1, undecided: undecided?.provenance ?? null },
    batchPairs: undecided?.batchPairs,
    async compare(pairs, options) {
      const decided = pairs.map(decideWithoutModel);
      const rest = pairs.filter((_, i) => decided[i] === null);
      if (rest.length > 0 && undecided === null)
        throw new RangeError(`a pair is left undecided: ${JSON.stringify(rest[0])}`);
      const verdicts = rest.length === 0 ? [] : await undecided!.compare(rest, options);
      let next = 0;
      return decided.map((verdict) => verdict ?? verdicts[next++]!);
    },
  };
}

/** The verdict of `exact` or `math` on a pair. @returns null where neither can tell */
export function decideWithoutModel({ first, second }: Omit<AnswerPair, "question">): PairVerdict | null {
  if (sameWords(first, second)) return { same: true, rule: "exact" };
  if (isMathematical(first) && isMathematical(second))
    return { same: mathEquivalent(first, second), rule: "math" };
  return null;
}

/** Whether any two of a question's different answers would be left to the model. */
export function leavesUndecided(texts: readonly string[]): boolean {
  return texts.some((second, j) =>
    texts.slice(0, j).some((first) => decideWithoutModel({ first, second }) === null),
  );
}
