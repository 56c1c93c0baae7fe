import { accept, type Cursor, isMark, peek } from "./cursor.ts";
import {
  type Expression,
  exactNumber,
  type NumberLiteral,
  power,
  product,
  quotient,
  wholeNumber,
} from "./expression.ts";
import { type Rational, rational } from "./rational.ts";

/**
 * A numeral: digits grouped by commas or spaces, a decimal fraction, a repeating one, a power of ten (`3e8`).
 * The base of `1010_2` becomes its unit: digits in another base are compared as they are written.
 */
export function readNumber(cursor: Cursor): Expression | null {
  const first = peek(cursor);
  if (first?.kind !== "number") return null;
  cursor.at++;
  let digits = first.text;
  if (/^[1-9]\d{0,2}$/.test(digits)) {
    for (let group = readGroup(cursor); group !== null; group = readGroup(cursor)) digits += group;
  }
  if (accept(cursor, "_")) {
    const base = readSubscript(cursor);
    if (base === null) return null;
    cursor.unit = `base ${base}`;
  }
  if (digits.includes(".") && accept(cursor, "…")) return parseNumeral(repeat(digits));
  return parseNumeral(digits);
}

/** Of `0.1666…` it is 0.1 and 6 again and again; what is not three times there is only cut off, as in `3.14159…`. */
function repeat(digits: string): string {
  const [, before, again] = /^(\d*\.\d{0,12}?)(\d{1,6}?)\2{2,12}$/.exec(digits) ?? [];
  return again === undefined ? digits : `${before}r${again}`;
}

/** `1` or `{12}` after an underscore, as it is written. */
export function readSubscript(cursor: Cursor): string | null {
  const bracket = cursor.brackets.get(cursor.at);
  const from = bracket === undefined ? cursor.at : cursor.at + 1;
  const to = bracket === undefined ? cursor.at + 1 : bracket.close;
  if (to > cursor.tokens.length) return null;
  cursor.at = bracket === undefined ? to : to + 1;
  return cursor.tokens
    .slice(from, to)
    .map(({ text }) => text)
    .join("");
}

/** The next three digits of 1,234,567 or 1 234 567, the last with a decimal fraction. */
function readGroup(cursor: Cursor): string | null {
  const comma = !cursor.inTuple && isMark(peek(cursor), ",") && !peek(cursor)?.spaced;
  const group = peek(cursor, comma ? 1 : 0);
  if (group?.kind !== "number" || !/^\d{3}(?:\.\d*)?$/.test(group.text) || group.spaced === comma)
    return null;
  const before = cursor.tokens[cursor.at - 1]?.text ?? "";
  if (before.includes(".")) return null;
  cursor.at += comma ? 2 : 1;
  return group.text;
}

/** @param text as the tokens have it; `r` stands before the digits that repeat */
export function parseNumeral(text: string): Expression | null {
  const [, whole = "", fraction = "", repeating = "", exponent = "0"] =
    /^(\d*)(?:\.(\d*))?(?:r(\d+))?(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  if (whole.length + fraction.length + repeating.length > MAX_DIGITS) return null;
  const value = decimalValue(whole, fraction, repeating);
  if (value === null) return null;
  const isExact = repeating !== "" || /^0*$/.test(fraction);
  const literal: NumberLiteral = isExact
    ? exactNumber(value)
    : { kind: "number", value, step: 10 ** -fraction.length };
  return exponent === "0" ? literal : product(literal, power(wholeNumber(10), wholeNumber(Number(exponent))));
}

/** What fits in the exact fractions. */
const MAX_DIGITS = 1200;

function decimalValue(whole: string, fraction: string, repeating: string): Rational | null {
  const shift = 10n ** BigInt(fraction.length);
  const start = BigInt(`0${whole}${fraction}`);
  if (repeating === "") return rational(start, shift);
  const nines = 10n ** BigInt(repeating.length) - 1n;
  return rational(start * nines + BigInt(repeating), shift * nines);
}

/**
 * A number in English words: "twenty-one", "three hundred and five", "two thirds", "one half". The cursor stays
 * where it is if none is there.
 */
export function readNumberWords(cursor: Cursor): Expression | null {
  const start = cursor.at;
  if (nextWord(cursor, false) === "half") {
    cursor.at++;
    return quotient(wholeNumber(1), wholeNumber(2));
  }
  let total = 0;
  let group: number | null = null;
  for (let word = nextWord(cursor, group !== null); word !== null; word = nextWord(cursor, true)) {
    const small = SMALL.get(word);
    const scale = SCALE_WORDS.get(word);
    if (small !== undefined && fits(group, small)) group = (group ?? 0) + small;
    else if (word === "hundred" && group !== null && group < 100) group *= 100;
    else if (scale !== undefined && group !== null) {
      total += group * scale;
      group = 0;
    } else {
      const parts = partsIn(word);
      if (parts === undefined || group === null) break;
      step(cursor);
      const fraction = rational(BigInt(total + group), parts);
      return fraction === null ? null : exactNumber(fraction);
    }
    step(cursor);
  }
  if (group === null) {
    cursor.at = start;
    return null;
  }
  return wholeNumber(total + group);
}

/** "twenty" takes "one", "hundred" takes "five"; "five six" are two numbers. */
const fits = (group: number | null, small: number): boolean => {
  if (group === null || group === 0) return true;
  return small !== 0 && (small < 10 ? group % 10 === 0 && group % 100 !== 10 : group % 100 === 0);
};

/** The next word of the number, past the hyphen or "and" within it. */
function nextWord(cursor: Cursor, within: boolean): string | null {
  const skip = within ? gapBefore(cursor) : 0;
  const token = peek(cursor, skip);
  return token?.kind === "word" ? token.text.toLowerCase() : null;
}

function step(cursor: Cursor): void {
  cursor.at += 1 + gapBefore(cursor);
}

function gapBefore(cursor: Cursor): number {
  const token = peek(cursor);
  const after = peek(cursor, 1);
  const joins = isMark(token, "-") || (token?.kind === "word" && token.text === "and");
  return joins && after?.kind === "word" && isNumberWord(after.text.toLowerCase()) ? 1 : 0;
}

const isNumberWord = (word: string): boolean => SMALL.has(word) || partsIn(word) !== undefined;

/** 4 of "fourths". */
const partsIn = (word: string): bigint | undefined => PARTS.get(word) ?? PARTS.get(word.replace(/s$/, ""));

const SMALL: ReadonlyMap<string, number> = new Map(
  (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
    "seventeen eighteen nineteen"
  )
    .split(" ")
    .map((word, value) => [word, value] as const)
    .concat(
      "twenty thirty forty fifty sixty seventy eighty ninety"
        .split(" ")
        .map((word, tens) => [word, 10 * (tens + 2)] as const),
    ),
);

const SCALE_WORDS: ReadonlyMap<string, number> = new Map([
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
]);

const PARTS: ReadonlyMap<string, bigint> = new Map([
  ["half", 2n],
  ["halve", 2n], // "halves" without its s
  ["third", 3n],
  ["quarter", 4n],
  ["fourth", 4n],
  ["fifth", 5n],
  ["sixth", 6n],
  ["seventh", 7n],
  ["eighth", 8n],
  ["ninth", 9n],
  ["tenth", 10n],
]);
