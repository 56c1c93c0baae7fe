import { accept, type Cursor, descend, isCommand, isMark, peek } from "./cursor.ts";
import {
  call,
  constant,
  difference,
  type Expression,
  power,
  product,
  quotient,
  wholeNumber,
} from "./expression.ts";
import { parseFunction, parseSymbol, parseWord } from "./parse-function.ts";
import { parseNumeral, readNumber } from "./read-number.ts";
import type { Token } from "./tokenize.ts";
import {
  CONSTANTS,
  CURRENCIES,
  FUNCTIONS,
  isPointNames,
  isProductOfSymbols,
  isUnitLetter,
  isUnitName,
  SYMBOL_COMMANDS,
} from "./vocabulary.ts";

/** One factor with its powers: `x^2`, `5!`, `30°`, `\sqrt{2}`, `(x+1)^3`, `\sin^2 x`. */
export function parsePower(cursor: Cursor): Expression | null {
  const isWord = (peek(cursor)?.text.length ?? 0) > 1 && peek(cursor)?.kind === "word";
  const base = parsePostfix(cursor);
  if (base === null || !accept(cursor, "^")) return base;
  const exponent = descend(cursor, () => parseExponent(cursor));
  if (exponent === null) return null;
  if (!isWord || base.kind !== "product") return parseMarksAfter(cursor, power(base, exponent));
  // Of letters side by side, the power is the last one's: xe^x.
  return product(...base.factors.slice(0, -1), power(base.factors.at(-1) as Expression, exponent));
}

/** Whether what is next multiplies what was before: `2x`, `3\sqrt{2}`, `(x+1)(x+2)`. */
export function startsFactor(cursor: Cursor): boolean {
  const token = peek(cursor);
  if (token === undefined) return false;
  if (token.kind === "mark") {
    return token.text === "(" || token.text === "{" || (token.text === "|" && cursor.bars === 0);
  }
  if (token.kind === "number") return isMark(peek(cursor, -1), "!"); // 2!4!
  if (FUNCTIONS.has(token.text) || CONSTANTS.has(token.text)) return true;
  if (token.kind === "command") return SYMBOL_COMMANDS.has(token.text) || BRACKET_COMMANDS.has(token.text);
  const isSymbol = token.text.length === 1 || isProductOfSymbols(token.text) || isPointNames(token.text);
  return isSymbol && !startsUnit(cursor) && !(/^[xX]$/.test(token.text) && isBetweenNumbers(cursor));
}

/** What is next has a number before and after it. */
export const isBetweenNumbers = (cursor: Cursor): boolean =>
  peek(cursor, -1)?.kind === "number" && peek(cursor, 1)?.kind === "number";

const BRACKET_COMMANDS: ReadonlySet<string> = new Set(["frac", "binom", "lfloor", "lceil"]);

/** After a number, `cm` is a unit and no product, and so is an `m` that stands apart or upright. */
function startsUnit(cursor: Cursor): boolean {
  const token = peek(cursor) as Token;
  const before = cursor.tokens[cursor.at - 1];
  if (token.upright || isUnitName(token.text)) return true;
  return before?.kind === "number" && token.spaced && isUnitLetter(token.text);
}

function parseExponent(cursor: Cursor): Expression | null {
  if (accept(cursor, "-")) {
    const positive = descend(cursor, () => parseExponent(cursor));
    return positive === null ? null : product(wholeNumber(-1), positive);
  }
  accept(cursor, "+");
  return parsePower(cursor);
}

function parsePostfix(cursor: Cursor): Expression | null {
  if (--cursor.fuel < 0) return null;
  const factor = descend(cursor, () => parseAtom(cursor));
  return factor === null ? null : parseMarksAfter(cursor, factor);
}

/** Factorial and degrees, which bind to what is right before them. */
function parseMarksAfter(cursor: Cursor, factor: Expression): Expression {
  let value = factor;
  for (;;) {
    if (accept(cursor, "!")) value = call("factorial", value);
    else if (!accept(cursor, "°")) return value;
    else if (cursor.inAngle) value = product(value, quotient(constant("pi"), wholeNumber(180)));
    else {
      const scale = /^[CF]$/.exec(peek(cursor)?.text ?? "")?.[0];
      if (scale !== undefined) cursor.at++;
      cursor.unit = scale === undefined ? "degree" : `degree ${scale}`;
    }
  }
}

function parseAtom(cursor: Cursor): Expression | null {
  const token = peek(cursor);
  if (token === undefined) return null;
  const currency = CURRENCIES.get(token.text);
  if (currency !== undefined) {
    cursor.unit = currency;
    cursor.at++;
    return readNumber(cursor);
  }
  if (token.kind === "number") return readNumber(cursor);
  const name = FUNCTIONS.get(token.text);
  if (name !== undefined) return parseFunction(cursor, name, { parsePower, startsFactor });
  if (token.kind === "word") return parseWord(cursor, token);
  cursor.at++;
  if (token.kind === "command") return parseCommand(cursor, token);
  if (token.text === "(") return parseGroup(cursor, [")", "]"]);
  if (token.text === "[") return parseGroup(cursor, ["]"]);
  if (token.text === "{") return parseBraces(cursor);
  if (token.text !== "|") return null;
  cursor.bars++;
  const inside = cursor.parseSum(cursor);
  cursor.bars--;
  return inside !== null && accept(cursor, "|") ? call("abs", inside) : null;
}

/** @param closers marks that may close it */
function parseGroup(cursor: Cursor, closers: readonly string[]): Expression | null {
  const { bars } = cursor;
  cursor.bars = 0;
  const inside = cursor.parseSum(cursor);
  cursor.bars = bars;
  return inside !== null && closers.some((closer) => accept(cursor, closer)) ? inside : null;
}

/** `{…}`, and the old forms `{n \choose k}` and `{a \over b}`. */
function parseBraces(cursor: Cursor): Expression | null {
  const inside = cursor.parseSum(cursor);
  if (inside === null) return null;
  for (const [name, build] of [
    ["choose", choose],
    ["over", quotient],
  ] as const) {
    if (!isCommand(peek(cursor), name)) continue;
    cursor.at++;
    const below = cursor.parseSum(cursor);
    return below !== null && accept(cursor, "}") ? build(inside, below) : null;
  }
  return accept(cursor, "}") ? inside : null;
}

function parseCommand(cursor: Cursor, { text }: Token): Expression | null {
  if (text === "frac" || text === "binom") return parseFraction(cursor, text);
  if (text === "lfloor" || text === "lceil") {
    const inside = cursor.parseSum(cursor);
    if (inside === null || !isCommand(peek(cursor), text.replace("l", "r"))) return null;
    cursor.at++;
    return call(text === "lfloor" ? "floor" : "ceiling", inside);
  }
  const known = CONSTANTS.get(text);
  if (known !== undefined) return constant(known);
  return SYMBOL_COMMANDS.has(text) ? parseSymbol(cursor, text) : null;
}

/** The first argument is a group or a single digit, as in LaTeX: `\frac12`; digits after it are the second. */
function parseFraction(cursor: Cursor, name: "frac" | "binom"): Expression | null {
  const first = peek(cursor);
  const digits = first?.kind === "number" ? first.text : "";
  if (digits !== "") cursor.at++;
  const top = digits === "" ? parsePostfix(cursor) : parseNumeral(digits.slice(0, 1));
  if (top === null) return null;
  const bottom = digits.length > 1 ? parseNumeral(digits.slice(1)) : parsePostfix(cursor);
  if (bottom === null) return null;
  return name === "frac" ? quotient(top, bottom) : choose(top, bottom);
}

/** C(n, k), written out where k is a small number, so that n may be a symbol. */
function choose(n: Expression, k: Expression): Expression {
  const count = k.kind === "number" && k.value.bottom === 1n ? Number(k.value.top) : -1;
  if (n.kind === "number" || count < 1 || count > MAX_WRITTEN_OUT) return call("binomial", n, k);
  const factors = Array.from({ length: count }, (_, at) => difference(n, wholeNumber(at)));
  return quotient(product(...factors), call("factorial", k));
}

const MAX_WRITTEN_OUT = 10;
