import { porterStem } from "./porter-stem.ts";

/**
 * ROUGE-L of two token lists: the F-measure of their longest common subsequence. Symmetric.
 * @returns in [0, 1]; 0 if either is empty
 * @see Lin 2004, section 3, with beta = 1 as in Python's `rouge_score`
 */
export function rougeL(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  return (2 * longestCommon(a, b)) / (a.length + b.length);
}

/**
 * Length of the longest common subsequence, exactly: a row of the table is a list of bits, and 32 of its cells are one
 * operation. Bit j of the row is 0 where the subsequence with b up to j is longer than with b up to j - 1.
 * @see Hyyrö 2004, "Bit-parallel LCS-length computation revisited": V' = (V + (V & M)) | (V & ~M)
 */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  const wordCount = Math.ceil(b.length / WORD_BITS);
  const places = placesOf(b);
  const row = new Uint32Array(wordCount).fill(ALL_ONES);
  for (const token of a) {
    const own = places.get(token);
    if (own === undefined) continue;
    let carry = 0;
    let next = 0;
    for (let word = own[0]! >>> WORD_SHIFT; word < wordCount; word++) {
      let matches = 0;
      while (next < own.length && own[next]! >>> WORD_SHIFT === word)
        matches |= 1 << (own[next++]! & (WORD_BITS - 1));
      const bits = row[word]!;
      const sum = bits + ((bits & matches) >>> 0) + carry;
      row[word] = (sum >>> 0) | (bits & ~matches);
      carry = sum > ALL_ONES ? 1 : 0;
      // further words change only by a carry or a match of their own
      if (carry === 0 && next < own.length) word = (own[next]! >>> WORD_SHIFT) - 1;
      else if (carry === 0) break;
    }
  }
  let length = 0;
  for (let j = 0; j < b.length; j++) length += (row[j >>> WORD_SHIFT]! >>> (j & (WORD_BITS - 1))) & 1 ? 0 : 1;
  return length;
}

const WORD_BITS = 32;
const WORD_SHIFT = 5;
const ALL_ONES = 0xffffffff;

/** Where each token stands, in ascending order. */
function placesOf(tokens: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [place, token] of tokens.entries()) {
    const own = places.get(token);
    if (own === undefined) places.set(token, [place]);
    else own.push(place);
  }
  return places;
}

/**
 * The words that ROUGE compares: lower-case, without punctuation, words of more than three letters by their stem.
 * For English text these are the tokens of Python's `rouge_score`, which drops every letter outside a to z, so that two
 * equal answers in Greek share nothing. Here words of any script count, and scripts without spaces count by character.
 * @see Lin 2004, "ROUGE: A package for automatic evaluation of summaries"
 */
export function rougeTokens(text: string): string[] {
  const words = text.toLowerCase().match(WORD) ?? [];
  return words.map((word) => (word.length > 3 && ENGLISH.test(word) ? porterStem(word) : word));
}

const UNSPACED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}";
const WORD = new RegExp(`[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}])+`, "gu");
const ENGLISH = /^[a-z0-9]+$/;
