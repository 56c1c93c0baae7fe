import { accept, type Cursor, isMark } from "./cursor.ts";
import type { Expression } from "./expression.ts";

/** What is in the bracket that is next, with commas between: the arguments of a function. */
export function readArguments(cursor: Cursor, closer: ")" | "}"): Expression[] | null {
  const args: Expression[] = [];
  do {
    cursor.at++;
    const arg = cursor.parseSum(cursor);
    if (arg === null) return null;
    args.push(arg);
  } while (isMark(cursor.tokens[cursor.at], ","));
  return accept(cursor, closer) ? args : null;
}
