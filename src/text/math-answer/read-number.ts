import { accept, type Cursor, isMark, peek } from "./cursor.ts";
import {
  type Expression,
  exactNumber,
  type NumberLiteral,
  power,
  product,
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
  return parseNumeral(digits);
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
