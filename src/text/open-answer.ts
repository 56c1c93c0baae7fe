import type { CorrectnessRule } from "./correctness-rule.ts";
import { normalizeAnswer } from "./normalize-answer.ts";
import { tokenF1 } from "./token-f1.ts";

/** What an open answer is held against. */
export interface OpenReference {
  /** The reference answer and its other accepted spellings; the best match counts, as in SQuAD. */
  readonly accepted: readonly string[];
  /** A sentence that only echoes words of the question proves nothing. */
  readonly question: string;
}

/**
 * Whether a short open answer is right.
 * - `squad-f1`: the papers' rule. The same after normalisation, or a token F1 of at least 0.5. It is made for
 *   answers of a few words, and calls most whole sentences wrong.
 * - `contains`: that, or a sentence of at most 25 words that holds an accepted answer as a phrase of whole words,
 *   unless the question holds that phrase too, or the sentence negates or offers a choice ("not", "or").
 * @param said the extracted answer: a phrase, or one sentence
 * @see Kuhn et al. 2023 and Farquhar et al. 2024 for the F1 rule
 */
export function matchesOpenAnswer(
  rule: Exclude<CorrectnessRule, "math">,
  said: string,
  { accepted, question }: OpenReference,
): boolean {
  if (accepted.some((reference) => matchesSquadF1(said, reference))) return true;
  if (rule === "squad-f1" || said.length > MAX_CHARACTERS || HEDGE.test(said)) return false;
  const words = normalizeAnswer(said);
  if (words.split(" ").length > MAX_WORDS) return false;
  const asked = normalizeAnswer(question);
  return accepted.some((reference) => {
    const phrase = normalizeAnswer(reference);
    return phrase !== "" && holdsPhrase(words, phrase) && !holdsPhrase(asked, phrase);
  });
}

const matchesSquadF1 = (said: string, reference: string): boolean => {
  const [a, b] = [normalizeAnswer(said), normalizeAnswer(reference)];
  return a !== "" && (a === b || tokenF1(said, reference) >= MIN_F1);
};

/** The papers' threshold. */
const MIN_F1 = 0.5;

/** One plain sentence; longer ones name several things, of which one is bound to be right. */
const MAX_WORDS = 25;
/** Bounds the work on a text without sentences. */
const MAX_CHARACTERS = 400;

/** "It is not Paris", "Paris or Lyon", "unlike Paris": the phrase is there and is not what is claimed. */
const HEDGE = /\b(?:not|cannot|never|neither|nor|or|unlike|except|rather than|instead of)\b|n['’]t\b/i;

const holdsPhrase = (words: string, phrase: string): boolean => ` ${words} `.includes(` ${phrase} `);
