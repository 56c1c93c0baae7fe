import { showShortly } from "../text/shorten.ts";
import type { Row } from "./row-fields.ts";

/**
 * Fields of rows that other tools wrote, in which any may be missing or null: then these are null too. A field that
 * is there and of the wrong kind is an error, with its name.
 */

/** @throws TypeError, as all of these */
export function looseText(row: Row, ...names: readonly string[]): string | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value); // an id or an answer
  throw wrong(name, value, "text");
}

/** true or false; numbers count as true above one half, as scores of correctness are written. */
export function looseFlag(row: Row, ...names: readonly string[]): boolean | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value > 0.5;
  throw wrong(name, value, "true or false");
}

/** A finite number: 1e999 in JSON is no number that anything can be computed with. */
export function looseNumber(row: Row, ...names: readonly string[]): number | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (typeof value === "number") return finiteOrNull(value);
  throw wrong(name, value, "a number");
}

export function looseList(row: Row, ...names: readonly string[]): readonly unknown[] | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (Array.isArray(value)) return value;
  throw wrong(name, value, "a list");
}

/**
 * A list of finite numbers.
 * @returns null where the list is not there, or lacks one of its numbers
 */
export function looseNumbers(value: unknown, name: string): readonly number[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw wrong(name, value, "a list of numbers");
  if (value.some((item) => item === null || Math.abs(item) === Number.POSITIVE_INFINITY)) return null;
  const at = value.findIndex((item) => typeof item !== "number");
  if (at !== -1) throw wrong(`${name}[${at}]`, value[at], "a number");
  return value;
}

/** @returns null for what is no finite number */
export const finiteOrNull = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

/** The first of the names whose value is there. */
function first(row: Row, names: readonly string[]): [name: string, value: unknown] | null {
  const name = names.find((each) => row[each] !== undefined && row[each] !== null);
  return name === undefined ? null : [name, row[name]];
}

const wrong = (name: string, value: unknown, expected: string): TypeError =>
  new TypeError(`"${name}" is ${showShortly(value, 40)}, expected ${expected}`);
