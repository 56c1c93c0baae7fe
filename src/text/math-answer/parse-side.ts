import type { Answer, SetOperation } from "./answer.ts";
import { accept, type Cursor, descend, isCommand, peek } from "./cursor.ts";
import { contains, product, wholeNumber } from "./expression.ts";
import { parseMatrix, parseStructure, scaleMatrix, startsStructure } from "./parse-structure.ts";
import { parseSum } from "./parse-sum.ts";
import { readUnit } from "./read-unit.ts";
import { isPointNames, PERCENT_WORDS, SCALES } from "./vocabulary.ts";

/**
 * One side of a relation: an expression with its unit, a set, a tuple, a matrix, or sets joined by `\cup`.
 * @param parseList reads what is in brackets
 */
export function parseSide(cursor: Cursor, parseList: (cursor: Cursor) => Answer | null): Answer | null {
  let side = parseTerm(cursor, parseList);
  while (side !== null) {
    const next = peek(cursor);
    const operator = next?.kind === "command" ? SET_OPERATORS.get(next.text) : undefined;
    if (operator === undefined) return side;
    cursor.at++;
    const right = parseTerm(cursor, parseList);
    side = right === null ? null : { kind: "operation", operator, left: side, right };
  }
  return null;
}

const SET_OPERATORS: ReadonlyMap<string, SetOperation["operator"]> = new Map([
  ["cup", "union"],
  ["cap", "intersection"],
  ["setminus", "difference"],
  ["backslash", "difference"],
]);

function parseTerm(cursor: Cursor, parseList: (cursor: Cursor) => Answer | null): Answer | null {
  if (startsStructure(cursor)) return descend(cursor, () => parseStructure(cursor, parseList));
  if (isLoneWord(cursor)) return null;
  cursor.unit = "";
  const number = parseSum(cursor);
  if (number === null) return null;
  if (isCommand(peek(cursor), "begin")) {
    const rows = parseMatrix(cursor);
    return rows === null ? null : scaleMatrix(number, rows);
  }
  const scale = SCALES.get(peek(cursor)?.text.toLowerCase() ?? "");
  if (scale !== undefined) cursor.at++;
  const expression = scale === undefined ? number : product(number, wholeNumber(scale));
  const percent = acceptPercent(cursor);
  const attached = cursor.unit;
  const unit = readUnit(cursor);
  // "a dog" is no number of dogs.
  if (unit === null || (unit !== "" && contains(expression, ({ kind }) => kind === "symbol"))) return null;
  return { kind: "quantity", expression, unit: attached || unit, percent };
}

/** Capitals with nothing beside them are a word, "NO" as well as "no". */
function isLoneWord(cursor: Cursor): boolean {
  const [token, next] = [peek(cursor), peek(cursor, 1)];
  if (token?.kind !== "word" || !isPointNames(token.text)) return false;
  return next === undefined || (next.kind === "word" && next.spaced) || /^[,;)\]]$/.test(next.text);
}

function acceptPercent(cursor: Cursor): boolean {
  if (accept(cursor, "%")) return true;
  const word = peek(cursor)?.text.toLowerCase() ?? "";
  const found = PERCENT_WORDS.has(word) || (word === "per" && peek(cursor, 1)?.text.toLowerCase() === "cent");
  if (found) cursor.at += word === "per" ? 2 : 1;
  return found;
}
