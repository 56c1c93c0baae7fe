import { accept, type Cursor, isCommand, isMark, peek } from "./cursor.ts";
import { constant, type Expression, type MathAnswer, negative, product, quantity } from "./expression.ts";

/** Reads the parts that a comma, "or" or "and" stands between, up to what closes them. */
type ParseList = (cursor: Cursor) => MathAnswer | null;

/** Whether a set, tuple, interval or matrix begins here, and no bracket within an expression. */
export function startsStructure(cursor: Cursor): boolean {
  const token = peek(cursor);
  const bracket = cursor.brackets.get(cursor.at);
  if (token?.kind === "command") return STRUCTURE_COMMANDS.has(token.text);
  if (token?.text === "\\{" || token?.text === "[") return true;
  return (token?.text === "(" || token?.text === "{") && bracket?.comma === true;
}

const STRUCTURE_COMMANDS: ReadonlySet<string> = new Set(["begin", "emptyset", "mathbbR", "langle"]);

/** What `startsStructure` saw. */
export function parseStructure(cursor: Cursor, parseList: ParseList): MathAnswer | null {
  const token = peek(cursor);
  if (isCommand(token, "begin")) {
    const rows = parseMatrix(cursor);
    return rows === null ? null : { kind: "matrix", rows };
  }
  const bracket = cursor.brackets.get(cursor.at);
  cursor.at++;
  if (isCommand(token, "emptyset")) return EMPTY;
  if (isCommand(token, "mathbbR")) return REALS;
  if (bracket === undefined) return null;
  const { inTuple } = cursor;
  cursor.inTuple = !bracket.spacedComma;
  const inside = parseInside(cursor, bracket.close, token?.text === "\\{", parseList);
  cursor.inTuple = inTuple;
  if (inside === null || cursor.at !== bracket.close) return null;
  cursor.at++;
  if (inside === EMPTY || isCondition(inside)) return inside;
  const items = inside.kind === "list" && inside.joiner === "," ? inside.items : [inside];
  const open = token?.text ?? "";
  if (open === "\\{" || open === "{") return { kind: "set", items };
  if (items.length === 1 && open === "[") return inside;
  if (open === "langle") return { kind: "tuple", items, open: "(", close: ")" };
  return { kind: "tuple", items, open, close: cursor.tokens[bracket.close]?.text ?? "" };
}

const EMPTY: MathAnswer = { kind: "set", items: [] };
const INFINITY = constant("infinity");
const REALS: MathAnswer = {
  kind: "tuple",
  items: [quantity(negative(INFINITY)), quantity(INFINITY)],
  open: "(",
  close: ")",
};

const isCondition = (inside: MathAnswer): boolean =>
  inside.kind === "relation" || (inside.kind === "list" && inside.items.every(isCondition));

/** Of `{x | x > 3}` it is `x > 3`, which is the same set. */
function parseInside(cursor: Cursor, close: number, isSet: boolean, parseList: ParseList): MathAnswer | null {
  if (isSet && cursor.at === close) return EMPTY;
  if (isSet && peek(cursor)?.kind === "word") {
    let at = cursor.at + 1;
    if (isCommand(cursor.tokens[at], "in")) at += 2;
    if (isMark(cursor.tokens[at], "|") || isMark(cursor.tokens[at], ":")) cursor.at = at + 1;
  }
  return parseList(cursor);
}

/** From `\begin{pmatrix}` to its end; the brackets around it say nothing about what is in it. */
export function parseMatrix(cursor: Cursor): Expression[][] | null {
  cursor.at++;
  if (!acceptMatrixName(cursor)) return null;
  const columns = cursor.brackets.get(cursor.at); // the {cc} of an array
  if (columns !== undefined && /^[lcr]+$/.test(peek(cursor, 1)?.text ?? "")) cursor.at = columns.close + 1;
  const rows: Expression[][] = [[]];
  for (;;) {
    if (isCommand(peek(cursor), "end")) break;
    const cell = cursor.parseSum(cursor);
    if (cell === null) return null;
    rows.at(-1)?.push(cell);
    if (accept(cursor, "\\\\")) {
      if (!isCommand(peek(cursor), "end")) rows.push([]);
    } else if (!accept(cursor, "&")) break;
  }
  if (!isCommand(peek(cursor), "end")) return null;
  cursor.at++;
  return acceptMatrixName(cursor) && rows.every((row) => row.length === rows[0]?.length) ? rows : null;
}

function acceptMatrixName(cursor: Cursor): boolean {
  const named = isMark(peek(cursor), "{") && MATRIX_NAME.test(peek(cursor, 1)?.text ?? "");
  if (!named || !isMark(peek(cursor, 2), "}")) return false;
  cursor.at += 3;
  return true;
}

const MATRIX_NAME = /^(?:[pbBvV]?|small)matrix$|^array$/;

export const scaleMatrix = (by: Expression, rows: readonly (readonly Expression[])[]): MathAnswer => ({
  kind: "matrix",
  rows: rows.map((row) => row.map((cell) => product(by, cell))),
});
