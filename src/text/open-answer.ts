import { splitSentences } from "./find-sentences.ts";
import { rougeL, rougeTokens } from "./rouge-l.ts";

/** What an open answer is compared with. */
export interface OpenReference {
  /** The reference answer and its other accepted spellings; the best match counts, as in SQuAD. */
  readonly accepted: readonly string[];
  /** Answers that are known to be wrong, where the question set has them, as TruthfulQA does. */
  readonly rejected?: readonly string[] | undefined;
  /** A sentence that only echoes words of the question proves nothing. */
  readonly question: string;
}

/**
 * Whether a short open answer is right.
 * - `squad-f1`: the papers' rule. The same after normalisation, or a token F1 of at least 0.5. It is made for
 *   answers of a few words, and calls most whole sentences wrong.
 * - `rouge-l`: a ROUGE-L above 0.3 with an accepted answer; with rejected ones, a larger one than with any of them.
 * - `contains`: `squad-f1` of the whole answer or of its first sentence; or, among its first 50 words, a sentence of at
 *   most 25 that holds an accepted answer as a phrase of whole words, unless the question holds that phrase too, or the
 *   sentence negates or offers a choice ("not", "or").
 * @param said the extracted answer: a phrase, or a few sentences
 * @see Farquhar et al. 2024 for the F1 rule, Kuhn et al. 2023 for ROUGE-L, and Lin et al. 2022, TruthfulQA, for the
 *   comparison with rejected answers
 */
export function matchesOpenAnswer(
  rule: Exclude<CorrectnessRule, "math">,
  said: string,
  reference: OpenReference,
): boolean {
  if (rule === "rouge-l") return matchesRougeL(said, reference);
  if (matchesAnyF1(said, reference)) return true;
  return rule === "contains" && holdsAnswer(said, reference);
}

function matchesRougeL(said: string, { accepted, rejected = [] }: OpenReference): boolean {
  const words = rougeTokens(said);
  const best = (answers: readonly string[]): number =>
    Math.max(0, ...answers.map((answer) => rougeL(words, rougeTokens(answer))));
  return rejected.length === 0 ? best(accepted) > MIN_ROUGE_L : best(accepted) > best(rejected);
}

function matchesAnyF1(said: string, { accepted }: OpenReference): boolean {
  const words = normalizeAnswer(said);
  return (
    words !== "" &&
    accepted.map(normalizeAnswer).some((each) => words === each || wordF1(words, each) >= MIN_F1)
  );
}

function holdsAnswer(said: string, reference: OpenReference): boolean {
  const asked = normalizeAnswer(reference.question);
  const phrases = reference.accepted
    .map(normalizeAnswer)
    .filter((phrase) => phrase !== "" && !holdsPhrase(asked, phrase));
  let words = 0;
  for (const [place, sentence] of splitSentences(said.slice(0, MAX_CHARACTERS)).entries()) {
    const own = normalizeAnswer(sentence);
    const length = own.split(" ").length;
    words += length;
    if (words > MAX_WORDS) return false;
    if (place === 0 && sentence.length < said.length && matchesAnyF1(sentence, reference)) return true;
    if (length > MAX_SENTENCE_WORDS || HEDGE.test(sentence)) continue;
    if (phrases.some((phrase) => holdsPhrase(own, phrase))) return true;
  }
  return false;
}

/** The papers' thresholds. */
const MIN_F1 = 0.5;
const MIN_ROUGE_L = 0.3;

/** Longer sentences name several things, of which one is bound to be right. */
const MAX_SENTENCE_WORDS = 25;
/** A sentence and its explanation; what comes later is about other things. */
const MAX_WORDS = 50;
/** Bounds the work on a text without sentences. */
const MAX_CHARACTERS = 800;

/** "It is not Paris", "Paris or Lyon", "unlike Paris": the phrase is there and is not what is claimed. */
const HEDGE = /\b(?:not|cannot|never|neither|nor|or|unlike|except|rather than|instead of)\b|n['’]t\b/i;

const holdsPhrase = (words: string, phrase: string): boolean => ` ${words} `.includes(` ${phrase} `);

/**
 * Overlap of two answers' words: the harmonic mean of precision and recall over the normalised words, repeated
 * ones counted as often as they occur in both.
 * @returns in [0, 1]; 1 for the same words in any order
 * @see Rajpurkar et al. 2016, SQuAD, section 6.1 (macro-averaged F1)
 */
export const tokenF1 = (said: string, reference: string): number =>
  wordF1(normalizeAnswer(said), normalizeAnswer(reference));

/** Of two normalised answers. */
function wordF1(said: string, reference: string): number {
  const saidWords = said.split(" ");
  const referenceWords = reference.split(" ");
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
export const CORRECTNESS_RULES = ["math", "squad-f1", "rouge-l", "contains"] as const;
export type CorrectnessRule = (typeof CORRECTNESS_RULES)[number];

/** What graded an answer: a rule, a language model, or the user. */
export const GRADERS = [...CORRECTNESS_RULES, "judge", "labels"] as const;
export type Grader = (typeof GRADERS)[number];
