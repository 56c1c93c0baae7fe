import { isMathematical, mathEquivalent } from "../text/math-equivalent.ts";
import { normalizeAnswer } from "../text/open-answer.ts";
import type { AnswerPair, Equivalence, PairVerdict } from "./equivalence.ts";

/** The same words; see `normalizeAnswer`. */
export function createExactEquivalence(): Equivalence {
  return {
    name: "exact",
    // version 1 compared whole texts; version 2 was given extracted answers, already normalised
    provenance: { name: "exact", version: 3 },
    compare: async (pairs) =>
      pairs.map(({ first, second }) => ({ same: sameWords(first, second), rule: "exact" })),
  };
}

/** Whether two answers are the same once case, punctuation and articles are gone. */
const sameWords = (a: string, b: string): boolean => normalizeAnswer(a) === normalizeAnswer(b);

/**
 * Equal as mathematics; see `mathEquivalent`. For short extracted answers. A pair in which one is neither
 * mathematical nor has a value is compared as text, with the rule `exact` in its verdict.
 */
export function createMathEquivalence(): Equivalence {
  return {
    name: "math",
    provenance: { name: "math", version: 2 },
    compare: async (pairs) =>
      pairs.map(({ first, second }) => {
        const same = mathEquivalent(first, second);
        // "four" is a word but equals 4
        const byValue = same && normalizeAnswer(first) !== normalizeAnswer(second);
        return {
          same,
          rule: byValue || (isMathematical(first) && isMathematical(second)) ? "math" : "exact",
        };
      }),
  };
}

/**
 * The first rule that can decide a pair decides it: the same words are the same; two numbers or expressions are
 * compared as mathematics; the rest goes to `undecided`, a relation with a model behind it. Numbers never get
 * there, since NLI models take 1969 and 1970 for much the same.
 * @param undecided null if no pair can be left for it
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

/** The verdict of `exact` or `math` on a pair. @returns null if neither can tell */
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
