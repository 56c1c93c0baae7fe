import { type Answer, quantity, type Relation, type RelationSign } from "./answer.ts";
import { type Cursor, descend, isMark, peek } from "./cursor.ts";
import { symbol } from "./expression.ts";
import { parseSide } from "./parse-side.ts";
import { joinTokens } from "./tokenize.ts";
import { SEPARATOR_WORDS } from "./vocabulary.ts";

/** Parts with commas, semicolons, "or" or "and" between them, or one part alone. */
export function parseList(cursor: Cursor): Answer | null {
  return descend(cursor, () => {
    const items: Answer[] = [];
    let joiner: "," | "or" | "and" = ",";
    do {
      const part = parsePart(cursor);
      if (part === null) return null;
      items.push(part);
      const separator = acceptSeparator(cursor);
      if (separator === null) break;
      if (separator !== ",") joiner = separator;
    } while (cursor.at < cursor.tokens.length);
    return items.length === 1 ? (items[0] as Answer) : { kind: "list", items, joiner };
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
function parsePart(cursor: Cursor): Answer | null {
  if (--cursor.fuel < 0) return null;
  const { at, plusMinus, sawPlusMinus } = cursor;
  const read = (sign: 1 | -1): Answer | null => {
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

function parseRelation(cursor: Cursor, left: Answer | null = parseSide(cursor, parseList)): Answer | null {
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
function parseNamed(cursor: Cursor, from: number): Answer | null {
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
function parseWords(cursor: Cursor, from: number): Answer | null {
  const { tokens } = cursor;
  let to = from;
  while (tokens[to]?.kind === "word" && !SEPARATOR_WORDS.has(tokens[to]?.text.toLowerCase() ?? "")) to++;
  if (to === from || to - from > MAX_NAME_WORDS) return null;
  cursor.at = to;
  return { kind: "text", text: joinTokens(tokens.slice(from, to)) };
}

/** More words are a sentence, of which the commas and "and" say nothing about a list. */
const MAX_NAME_WORDS = 3;
