/** What an open answer is compared with. */
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

/**
 * Overlap of two answers' words: the harmonic mean of precision and recall over the normalised words, repeated
 * ones counted as often as they occur in both.
 * @returns in [0, 1]; 1 for the same words in any order
 * @see Rajpurkar et al. 2016, SQuAD, section 6.1 (macro-averaged F1)
 */
export function tokenF1(said: string, reference: string): number {
  const saidWords = normalizeAnswer(said).split(" ");
  const referenceWords = normalizeAnswer(reference).split(" ");
  const left = new Map<string, number>();
  for (const word of referenceWords) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of saidWords) {
    const count = left.get(word) ?? 0;
    if (word === "" || count === 0) continue;
    left.set(word, count - 1);
    shared++;
  }
  return (2 * shared) / (saidWords.length + referenceWords.length);
}

/**
 * An answer for comparison by text: lower case, without punctuation, articles and extra white space, as SQuAD's
 * scorer does it, but for one thing: in a text with digits, signs, operators and decimal points stay, because -5
 * is not 5, 1/2 is not 12, and 2x - 5 is not 2x + 5. Where nothing would be left, articles stay, then punctuation.
 * @see Rajpurkar et al. 2016, SQuAD, `normalize_answer` of its evaluation script
 */
export function normalizeAnswer(text: string): string {
  const lower = text.normalize("NFKC").replaceAll("\u2212", "-").replaceAll("\u2019", "'").toLowerCase();
  const punctuation = /\d/.test(lower) ? PUNCTUATION_AROUND_NUMBERS : PUNCTUATION;
  const words = lower
    .replaceAll("**", "") // emphasis in Markdown, not a power
    .replace(THOUSANDS_COMMA, "")
    .replace(punctuation, "");
  return collapse(words.replace(/\b(?:a|an|the)\b/g, " ")) || collapse(words) || collapse(lower);
}

const THOUSANDS_COMMA = /(?<=\d),(?=\d{3}(?!\d))/g;

/** Python's `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** The same without operators before something, marks between two digits, and the point of `.5`. */
const PUNCTUATION_AROUND_NUMBERS =
  /(?![-+*/=<>^] ?[\w.(])(?!(?<=\d)[.,:](?=\d))(?!(?<!\w)\.(?=\d))[!-/:-@[-`{-~]/g;

const collapse = (text: string): string => text.trim().replace(/\s+/g, " ");

/**
 * How an answer is held against its reference: `math` as mathematics, the others as open answers; see
 * `mathEquivalent` and `matchesOpenAnswer`.
 */
export const CORRECTNESS_RULES = ["math", "squad-f1", "contains"] as const;
export type CorrectnessRule = (typeof CORRECTNESS_RULES)[number];
