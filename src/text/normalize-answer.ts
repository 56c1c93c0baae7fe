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
