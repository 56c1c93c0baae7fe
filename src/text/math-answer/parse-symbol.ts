import { accept, type Cursor, isMark, peek } from "./cursor.ts";
import { call, constant, type Expression, product, symbol } from "./expression.ts";
import { readArguments } from "./read-arguments.ts";
import { readSubscript } from "./read-number.ts";
import { readNumberWords } from "./read-number-words.ts";
import type { Token } from "./tokenize.ts";
import { CONSTANTS, isPointNames, isProductOfSymbols } from "./vocabulary.ts";

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
