import { accept, type Cursor, createCursor, descend, isCommand, isMark, peek } from "./cursor.ts";
import {
  contains,
  type Expression,
  type MathAnswer,
  negative,
  product,
  quantity,
  type Relation,
  type RelationSign,
  type SetOperation,
  symbol,
  wholeNumber,
} from "./expression.ts";
import { parseMatrix, parseStructure, scaleMatrix, startsStructure } from "./parse-structure.ts";
import { parseSum } from "./parse-sum.ts";
import { parseNumeral } from "./read-number.ts";
import { joinTokens, type Token, tokenize } from "./tokenize.ts";
import { ADVERBS, isPointNames, PERCENT_WORDS, readUnit, SCALES, SEPARATOR_WORDS } from "./vocabulary.ts";

/**
 * Reads an answer in LaTeX or plain text. What cannot be read as mathematics, a malformed formula as well as a
 * name, is text. Never fails; the time is bounded by the length, whatever the text.
 */
export function parseAnswer(text: string): MathAnswer {
  const tokens = trim(tokenize(text));
  const labelled = parseChoice(tokens);
  if (labelled !== null) return labelled;
  return parseWhole(tokens);
}

/** Without the full stop, and the words or sign in front that say nothing. */
function trim(tokens: readonly Token[]): readonly Token[] {
  let [from, to] = [0, tokens.length];
  while (to > from && /^[.,;:]$/.test(tokens[to - 1]?.text ?? "")) to--;
  while (from < to - 1 && isEmptyTalk(tokens[from] as Token)) from++;
  const rest = tokens.slice(from, to);
  if (!isMark(rest[0], "<") || !isMark(rest.at(-1), ">")) return rest;
  return rest.map((token, at) =>
    at === 0 ? named(token, "langle") : at === rest.length - 1 ? named(token, "rangle") : token,
  );
}

/** `<1, 2>` as `\langle 1, 2\rangle`. */
const named = (token: Token, text: string): Token => ({ ...token, kind: "command", text });

const isEmptyTalk = ({ kind, text }: Token): boolean =>
  kind === "word" ? ADVERBS.has(text.toLowerCase()) : text === "=" || text === "≈";

/** `(B) 12`, `B. 12`, `B) 12`: the letter of a choice, and what it stands for. */
function parseChoice(tokens: readonly Token[]): MathAnswer | null {
  const start = isMark(tokens[0], "(") ? 1 : 0;
  const letter = tokens[start];
  const closer = tokens[start + 1]?.text ?? "";
  const rest = tokens.slice(start + 2);
  if (letter?.kind !== "word" || !/^[A-J]$/.test(letter.text) || rest.length === 0) return null;
  if (start === 1 ? closer !== ")" : !/^[).:]$/.test(closer)) return null;
  if (!rest[0]?.spaced) return null;
  return { kind: "choice", letter: letter.text, content: parseWhole(rest) };
}

function parseWhole(tokens: readonly Token[]): MathAnswer {
  const cursor = createCursor(tokens, parseSum);
  const answer = tokens.length === 0 ? null : parseList(cursor);
  if (answer === null || cursor.at !== tokens.length) return { kind: "text", text: joinTokens(tokens) };
  const decimal = answer.kind === "list" ? parseDecimalComma(tokens) : null;
  return answer.kind === "list" && decimal !== null ? { ...answer, decimal: quantity(decimal) } : answer;
}

/** `3,14` as 3.14. */
function parseDecimalComma(tokens: readonly Token[]): Expression | null {
  const [, sign = "", whole = "", fraction = ""] =
    /^(-?)(\d+),(\d+)$/.exec(
      tokens
        .map(({ text, spaced }) => (spaced ? ` ${text}` : text))
        .join("")
        .trim(),
    ) ?? [];
  const value = whole === "" ? null : parseNumeral(`${whole}.${fraction}`);
  return value === null || sign === "" ? value : negative(value);
}

/** Parts with commas, semicolons, "or" or "and" between them, or one part alone. */
export function parseList(cursor: Cursor): MathAnswer | null {
  return descend(cursor, () => {
    const items: MathAnswer[] = [];
    let joiner: "," | "or" | "and" = ",";
    do {
      const part = parsePart(cursor);
      if (part === null) return null;
      items.push(part);
      const separator = acceptSeparator(cursor);
      if (separator === null) break;
      if (separator !== ",") joiner = separator;
    } while (cursor.at < cursor.tokens.length);
    return items.length === 1 ? (items[0] as MathAnswer) : { kind: "list", items, joiner };
  });
}

function acceptSeparator(cursor: Cursor): "," | "or" | "and" | null {
  let found: "," | "or" | "and" | null = null;
  for (let token = peek(cursor); token !== undefined; token = peek(cursor)) {
    const word = token.kind === "word" ? token.text.toLowerCase() : "";
    if (SEPARATOR_WORDS.has(word)) found = word as "or" | "and";
    else if (isMark(token, ",") || isMark(token, ";")) found ??= ",";
    else break;
    cursor.at++;
  }
  return found;
}

/** One part of a list. With ± in it, it is two. */
function parsePart(cursor: Cursor): MathAnswer | null {
  if (--cursor.fuel < 0) return null;
  const { at, plusMinus, sawPlusMinus } = cursor;
  const read = (sign: 1 | -1): MathAnswer | null => {
    cursor.at = at;
    cursor.plusMinus = sign;
    cursor.sawPlusMinus = false;
    return parseRelation(cursor) ?? parseNamed(cursor, at) ?? parseWords(cursor, at);
  };
  const first = read(1);
  const second = first !== null && cursor.sawPlusMinus ? read(-1) : null;
  cursor.plusMinus = plusMinus;
  cursor.sawPlusMinus = sawPlusMinus;
  return first === null || second === null ? first : { kind: "list", items: [first, second], joiner: "or" };
}

const SIGNS: ReadonlyMap<string, RelationSign> = new Map([
  ["=", "="],
  ["≈", "≈"],
  ["!=", "!="],
  ["<", "<"],
  [">", ">"],
  ["<=", "<="],
  [">=", ">="],
  ["in", "in"],
]);

function parseRelation(
  cursor: Cursor,
  left: MathAnswer | null = parseSide(cursor, parseList),
): MathAnswer | null {
  if (left === null) return null;
  const sides = [left];
  const operators: RelationSign[] = [];
  for (let token = peek(cursor); token !== undefined; token = peek(cursor)) {
    const sign = token.kind === "mark" || token.kind === "command" ? SIGNS.get(token.text) : undefined;
    if (sign === undefined) break;
    cursor.at++;
    const side = parseSide(cursor, parseList);
    if (side === null) return null;
    sides.push(side);
    operators.push(sign);
  }
  const relation: Relation = { kind: "relation", sides, operators };
  return operators.length === 0 ? left : relation;
}

/** `Area = 5`, `m\angle ABC = 30`: what stands before the first sign is a name if words and brackets are all it is. */
function parseNamed(cursor: Cursor, from: number): MathAnswer | null {
  const { tokens } = cursor;
  let to = from;
  while (to < tokens.length && NAME_PART.test(tokens[to]?.text ?? "")) to++;
  const name = tokens.slice(from, to);
  if (name.length === 0 || !/^[\p{L}(]/u.test(name[0]?.text ?? "") || !/^[=≈:]$/.test(tokens[to]?.text ?? ""))
    return null;
  cursor.at = to;
  if (isMark(peek(cursor), ":")) {
    cursor.at++;
    return parseRelation(cursor);
  }
  return parseRelation(cursor, quantity(symbol(joinTokens(name))));
}

const NAME_PART = /^(?:[\p{L}\d]+|[(){}_'])$/u;

/** A name as part of a list: "Alice and Bob". */
function parseWords(cursor: Cursor, from: number): MathAnswer | null {
  const { tokens } = cursor;
  let to = from;
  while (tokens[to]?.kind === "word" && !SEPARATOR_WORDS.has(tokens[to]?.text.toLowerCase() ?? "")) to++;
  if (to === from || to - from > MAX_NAME_WORDS) return null;
  cursor.at = to;
  return { kind: "text", text: joinTokens(tokens.slice(from, to)) };
}

/** More words are a sentence, of which the commas and "and" say nothing about a list. */
const MAX_NAME_WORDS = 3;

/**
 * One side of a relation: an expression with its unit, a set, a tuple, a matrix, or sets joined by `\cup`.
 * @param parseList reads what is in brackets
 */
function parseSide(cursor: Cursor, parseList: (cursor: Cursor) => MathAnswer | null): MathAnswer | null {
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

function parseTerm(cursor: Cursor, parseList: (cursor: Cursor) => MathAnswer | null): MathAnswer | null {
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
