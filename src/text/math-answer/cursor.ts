import type { Expression } from "./expression.ts";
import type { Token } from "./tokenize.ts";

/** Where a reader of an answer is, and what it has met. */
export interface Cursor {
  readonly tokens: readonly Token[];
  readonly brackets: ReadonlyMap<number, Bracket>;
  /** Reads a sum, which is any expression; here, so that factors may contain sums. */
  readonly parseSum: (cursor: Cursor) => Expression | null;
  at: number;
  depth: number;
  /** Factors and parts that may still be read. Some are read twice, as after ±, and so in each bracket within. */
  fuel: number;
  /** Inside |…|, where a bar closes. */
  bars: number;
  /** Inside the argument of a trigonometric function, where a degree is pi/180 and no unit. */
  inAngle: boolean;
  /** Inside (1,234), which are two numbers. */
  inTuple: boolean;
  /** How ± is read this time. */
  plusMinus: 1 | -1;
  sawPlusMinus: boolean;
  /** A unit that stood at its number: degrees, a currency, the base of a numeral. */
  unit: string;
}

interface Bracket {
  readonly close: number;
  /** A comma or semicolon stands in it, not in a bracket within. */
  readonly comma: boolean;
  /** White space follows one of its commas. */
  readonly spacedComma: boolean;
}

/** Deeper ones are not read; no answer is nested half as deep. */
const MAX_DEPTH = 50;

export function createCursor(tokens: readonly Token[], parseSum: Cursor["parseSum"]): Cursor {
  return {
    tokens,
    brackets: findBrackets(tokens),
    parseSum,
    at: 0,
    depth: 0,
    fuel: 4 * tokens.length + 100,
    bars: 0,
    inAngle: false,
    inTuple: false,
    plusMinus: 1,
    sawPlusMinus: false,
    unit: "",
  };
}

export const peek = (cursor: Cursor, ahead = 0): Token | undefined => cursor.tokens[cursor.at + ahead];

export const isMark = (token: Token | undefined, text: string): boolean =>
  token?.kind === "mark" && token.text === text;

export const isCommand = (token: Token | undefined, text: string): boolean =>
  token?.kind === "command" && token.text === text;

/** Steps over the mark if it is next. */
export function accept(cursor: Cursor, text: string): boolean {
  if (!isMark(peek(cursor), text)) return false;
  cursor.at++;
  return true;
}

/** What `read` gives one level deeper, or null if that is too deep. */
export function descend<T>(cursor: Cursor, read: () => T | null): T | null {
  if (cursor.depth >= MAX_DEPTH) return null;
  cursor.depth++;
  const result = read();
  cursor.depth--;
  return result;
}

/** Round and square brackets close each other, as in [0, 1). Brackets that nothing closes are left out. */
function findBrackets(tokens: readonly Token[]): ReadonlyMap<number, Bracket> {
  const brackets = new Map<number, Bracket>();
  const open: { at: number; family: string; comma: boolean; spacedComma: boolean }[] = [];
  tokens.forEach((token, at) => {
    const opens = OPENERS.get(token.text);
    const closes = CLOSERS.get(token.text);
    const last = open.at(-1);
    if (opens !== undefined) open.push({ at, family: opens, comma: false, spacedComma: false });
    else if (closes !== undefined && last?.family === closes) {
      open.pop();
      brackets.set(last.at, { close: at, comma: last.comma, spacedComma: last.spacedComma });
    } else if (last !== undefined && (isMark(token, ",") || isMark(token, ";"))) {
      last.comma = true;
      last.spacedComma ||= tokens[at + 1]?.spaced ?? false;
    }
  });
  return brackets;
}

const OPENERS: ReadonlyMap<string, string> = new Map([
  ["(", "round"],
  ["[", "round"],
  ["{", "brace"],
  ["\\{", "set"],
  ["langle", "angle"],
]);
const CLOSERS: ReadonlyMap<string, string> = new Map([
  [")", "round"],
  ["]", "round"],
  ["}", "brace"],
  ["\\}", "set"],
  ["rangle", "angle"],
]);
