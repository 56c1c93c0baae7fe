import { porterStem } from "./porter-stem.ts";

/**
 * The words that ROUGE compares: lower-case, without punctuation, words of more than three letters by their stem.
 * For English text these are the tokens of Python's `rouge_score`. That one drops every letter outside a to z, so
 * that two equal answers in Greek share nothing; here words of any script count, and scripts that put no spaces
 * between words count by character.
 * @see Lin 2004, "ROUGE: A package for automatic evaluation of summaries"
 */
export function rougeTokens(text: string): string[] {
  const words = text.toLowerCase().match(WORD) ?? [];
  return words.map((word) => (word.length > 3 && ENGLISH.test(word) ? porterStem(word) : word));
}

const UNSPACED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}";
const WORD = new RegExp(`[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}])+`, "gu");
const ENGLISH = /^[a-z0-9]+$/;
