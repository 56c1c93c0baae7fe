import { accept, type Cursor, descend, isCommand, isMark, peek } from "./cursor.ts";
import { type Expression, negative, product, quotient, sumOf } from "./expression.ts";
import { isBetweenNumbers, parsePower, startsFactor } from "./parse-factor.ts";

/** Terms with their signs: the whole of an expression. */
export function parseSum(cursor: Cursor): Expression | null {
  return descend(cursor, () => {
    const terms: Expression[] = [];
    do {
      const sign = readSigns(cursor);
      const term = parseProduct(cursor);
      if (term === null) return null;
      terms.push(sign < 0 ? negative(term) : term);
    } while (isSign(cursor));
    return sumOf(...terms);
  });
}

const isSign = (cursor: Cursor): boolean => {
  const next = peek(cursor);
  if (isMark(next, "+") || isMark(next, "-") || isCommand(next, "pm") || isCommand(next, "mp")) return true;
  return next?.kind === "word" && MINUS_WORDS.has(next.text.toLowerCase());
};

const MINUS_WORDS: ReadonlySet<string> = new Set(["minus", "negative"]);

function readSigns(cursor: Cursor): number {
  let sign = 1;
  for (; isSign(cursor); cursor.at++) {
    const text = peek(cursor)?.text.toLowerCase() ?? "";
    if (text === "-" || MINUS_WORDS.has(text)) sign = -sign;
    else if (text !== "+") {
      cursor.sawPlusMinus = true;
      sign *= text === "pm" ? cursor.plusMinus : -cursor.plusMinus;
    }
  }
  return sign;
}

function parseProduct(cursor: Cursor): Expression | null {
  let value = parseJuxtaposed(cursor);
  while (value !== null) {
    const divides = accept(cursor, "/") || acceptRatio(cursor);
    if (!divides && !acceptTimes(cursor)) return value;
    const sign = readSigns(cursor);
    // 1/2x is one half of x, where a/bc divides by bc.
    const next: Expression | null =
      divides && value.kind === "number" && peek(cursor)?.kind === "number"
        ? parsePower(cursor)
        : parseJuxtaposed(cursor);
    if (next === null) return null;
    const signed = sign < 0 ? negative(next) : next;
    value = divides ? quotient(value, signed) : product(value, signed);
    if (divides && startsFactor(cursor)) {
      const rest = parseJuxtaposed(cursor);
      value = rest === null ? null : product(value, rest);
    }
  }
  return null;
}

/** Also the letter in `3 x 10^8`, as no number follows a symbol. */
function acceptTimes(cursor: Cursor): boolean {
  const isLetter = /^[xX]$/.test(peek(cursor)?.text ?? "") && isBetweenNumbers(cursor);
  if (isLetter) cursor.at++;
  return isLetter || accept(cursor, "*");
}

/** `3:4`; not `2:05` and `4:20`, which are times, and not `1:2:3`, which is no one number. */
function acceptRatio(cursor: Cursor): boolean {
  if (!isBetweenNumbers(cursor) || isMark(peek(cursor, -2), ":") || isMark(peek(cursor, 2), ":"))
    return false;
  const [hours, colon, minutes] = [-1, 0, 1].map((ahead) => peek(cursor, ahead)?.text ?? "");
  return !TIME.test(`${hours}${colon}${minutes}`) && accept(cursor, ":");
}

const TIME = /^\d{1,2}:[0-5]\d$/;

/** Factors side by side; a whole number right before a fraction of numbers is added to it, as in `1\frac{1}{2}`. */
function parseJuxtaposed(cursor: Cursor): Expression | null {
  const isWhole = /^\d+$/.test(peek(cursor)?.text ?? "");
  const first = parsePower(cursor);
  if (first === null) return null;
  const factors = [first];
  const fraction = isWhole && first.kind === "number" ? parseFractionAfter(cursor) : null;
  if (fraction !== null) factors[0] = sumOf(first, fraction);
  while (startsFactor(cursor)) {
    const factor = parsePower(cursor);
    if (factor === null) return null;
    factors.push(factor);
  }
  return product(...factors);
}

/** The cursor stays where it is if there is none. */
function parseFractionAfter(cursor: Cursor): Expression | null {
  const start = cursor.at;
  const plain =
    peek(cursor)?.kind === "number" && isMark(peek(cursor, 1), "/") && peek(cursor, 2)?.kind === "number";
  if (plain || isCommand(peek(cursor), "frac")) {
    const top = parsePower(cursor);
    const bottom = plain && accept(cursor, "/") ? parsePower(cursor) : null;
    const fraction = top === null || bottom === null ? top : quotient(top, bottom);
    if (fraction?.kind === "quotient" && fraction.top.kind === "number" && fraction.bottom.kind === "number")
      return fraction;
  }
  cursor.at = start;
  return null;
}
