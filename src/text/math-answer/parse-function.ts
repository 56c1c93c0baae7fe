import { accept, type Cursor, isMark, peek } from "./cursor.ts";
import {
  call,
  constant,
  difference,
  type Expression,
  power,
  product,
  quotient,
  sumOf,
  symbol,
  wholeNumber,
} from "./expression.ts";
import { readNumberWords, readSubscript } from "./read-number.ts";
import type { Token } from "./tokenize.ts";
import { ANGLE_FUNCTIONS, CONSTANTS, FUNCTIONS, isPointNames, isProductOfSymbols } from "./vocabulary.ts";

/** What this needs of the grammar of factors, of which functions are a part. */
interface FactorGrammar {
  readonly parsePower: (cursor: Cursor) => Expression | null;
  readonly startsFactor: (cursor: Cursor) => boolean;
}

/**
 * A known function with its argument: `\sin(x)`, `\sin 2x`, `\sin^2 x`, `\sin^{-1} x`, `\log_2 8`, `\sqrt[3]{2}`.
 * `\log` alone is to the base 10, as in schools; `\ln` is natural. Written in terms of few functions.
 * @param name as FUNCTIONS has it
 */
export function parseFunction(cursor: Cursor, name: string, grammar: FactorGrammar): Expression | null {
  cursor.at++;
  if (name === "sqrt" || name === "cbrt") return parseRoot(cursor, name, grammar);
  let base: Expression | null = null;
  if (accept(cursor, "_")) {
    base = parseScript(cursor, grammar);
    if (base === null) return null;
  }
  let exponent: Expression | null = null;
  if (accept(cursor, "^")) {
    exponent = parseScript(cursor, grammar);
    if (exponent === null) return null;
  }
  const { inAngle } = cursor;
  cursor.inAngle = ANGLE_FUNCTIONS.has(name);
  const args = parseArguments(cursor, grammar);
  cursor.inAngle = inAngle;
  if (args === null || (args.length > 1 && !MANY_ARGUMENTS.has(name))) return null;
  const inverse = INVERSES.get(name);
  if (exponent !== null && isMinusOne(exponent) && inverse !== undefined) return call(inverse, ...args);
  const value = apply(name, args, base);
  return exponent === null ? value : power(value, exponent);
}

const MANY_ARGUMENTS: ReadonlySet<string> = new Set(["gcd", "lcm", "max", "min"]);

const INVERSES: ReadonlyMap<string, string> = new Map([
  ["sin", "asin"],
  ["cos", "acos"],
  ["tan", "atan"],
]);

const isMinusOne = (exponent: Expression): boolean =>
  exponent.kind === "product" &&
  exponent.factors.length === 2 &&
  exponent.factors.every(
    (factor, at) => factor.kind === "number" && factor.value.top === (at === 0 ? -1n : 1n),
  );

function apply(name: string, args: readonly Expression[], base: Expression | null): Expression {
  const x = args[0] as Expression;
  const grow = power(constant("e"), x);
  const shrink = quotient(wholeNumber(1), grow);
  const [sine, cosine] = [call("sin", x), call("cos", x)];
  const one = wholeNumber(1);
  switch (name) {
    case "tan":
      return quotient(sine, cosine);
    case "cot":
      return quotient(cosine, sine);
    case "sec":
      return quotient(one, cosine);
    case "csc":
      return quotient(one, sine);
    case "sinh":
      return quotient(difference(grow, shrink), wholeNumber(2));
    case "cosh":
      return quotient(sumOf(grow, shrink), wholeNumber(2));
    case "tanh":
      return quotient(difference(grow, shrink), sumOf(grow, shrink));
    case "exp":
      return grow;
    case "ln":
      return call("log", x);
    case "log":
    case "lg":
      return quotient(call("log", x), call("log", base ?? wholeNumber(10)));
    default:
      return call(name, ...args);
  }
}

function parseRoot(cursor: Cursor, name: "sqrt" | "cbrt", grammar: FactorGrammar): Expression | null {
  let index: Expression | null = wholeNumber(name === "sqrt" ? 2 : 3);
  if (name === "sqrt" && accept(cursor, "[")) {
    index = cursor.parseSum(cursor);
    if (index === null || !accept(cursor, "]")) return null;
  }
  const radicand = parseScript(cursor, grammar);
  return radicand === null ? null : power(radicand, quotient(wholeNumber(1), index));
}

/** A subscript, superscript or radicand: a group, or a single thing without its power. */
function parseScript(cursor: Cursor, { parsePower }: FactorGrammar): Expression | null {
  if (accept(cursor, "-")) {
    const positive = parsePower(cursor);
    return positive === null ? null : product(wholeNumber(-1), positive);
  }
  if (!isMark(peek(cursor), "{")) return parsePower(cursor);
  cursor.at++;
  const inside = cursor.parseSum(cursor);
  return inside !== null && accept(cursor, "}") ? inside : null;
}

/** In brackets, or without them what multiplies up to the next function: `\sin 2x \cos x` is (sin 2x)(cos x). */
function parseArguments(cursor: Cursor, grammar: FactorGrammar): Expression[] | null {
  const open = peek(cursor);
  if (isMark(open, "(")) return readArguments(cursor, ")");
  if (isMark(open, "{")) return readArguments(cursor, "}");
  const factors: Expression[] = [];
  do {
    const factor = grammar.parsePower(cursor);
    if (factor === null) return null;
    factors.push(factor);
  } while (grammar.startsFactor(cursor) && !FUNCTIONS.has(peek(cursor)?.text ?? ""));
  return [product(...factors)];
}

/** Letters: a constant, a number in words, a symbol, or several symbols side by side. */
export function parseWord(cursor: Cursor, { text, upright }: Token): Expression | null {
  const known = CONSTANTS.get(text);
  if (known === undefined) {
    const number = readNumberWords(cursor);
    if (number !== null) return number;
  }
  cursor.at++;
  if (known !== undefined) return constant(known);
  if (text.length === 1 || (isPointNames(text) && !upright)) return parseSymbol(cursor, text);
  if (upright || !isProductOfSymbols(text)) return null;
  return product(
    ...[...text].map((letter) => {
      const name = CONSTANTS.get(letter);
      return name === undefined ? symbol(letter) : constant(name);
    }),
  );
}

/** With subscript and primes; f, g, h and P before a bracket are applied to what is in it. */
export function parseSymbol(cursor: Cursor, letter: string): Expression | null {
  let name = letter;
  if (accept(cursor, "_")) {
    const subscript = readSubscript(cursor);
    if (subscript === null) return null;
    name += `_${subscript}`;
  }
  while (accept(cursor, "'")) name += "'";
  if (/^[fgh]$/.test(name) && isInverse(cursor)) {
    cursor.at += INVERSE.length;
    name += "^-1";
  }
  if (!/^[fghFGHP]/.test(name) || !isMark(peek(cursor), "(")) return symbol(name);
  const args = readArguments(cursor, ")");
  return args === null ? null : call(`apply ${name}`, ...args);
}

const INVERSE = ["^", "{", "-", "1", "}"];

const isInverse = (cursor: Cursor): boolean =>
  [...INVERSE, "("].every((text, at) => peek(cursor, at)?.text === text);

/** What is in the bracket that is next, with commas between: the arguments of a function. */
function readArguments(cursor: Cursor, closer: ")" | "}"): Expression[] | null {
  const args: Expression[] = [];
  do {
    cursor.at++;
    const arg = cursor.parseSum(cursor);
    if (arg === null) return null;
    args.push(arg);
  } while (isMark(cursor.tokens[cursor.at], ","));
  return accept(cursor, closer) ? args : null;
}
