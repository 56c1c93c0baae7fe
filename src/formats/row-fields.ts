import { showShortly } from "../text/shorten.ts";

/** One row of an artifact as JSON gives it, before its fields are checked. */
export type Row = Readonly<Record<string, unknown>>;

/** @throws TypeError if the value is not an object */
export function asRow(value: unknown): Row {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError(`expected an object, got ${show(value)}`);
  return value as Row;
}

/** @throws TypeError naming the field, as all of these */
export function stringField(row: Row, name: string): string {
  const value = present(row, name);
  if (typeof value !== "string") throw wrong(name, "a string", value);
  return value;
}

export function booleanField(row: Row, name: string): boolean {
  const value = present(row, name);
  if (typeof value !== "boolean") throw wrong(name, "true or false", value);
  return value;
}

/** A finite number. JSON has no others, but a writer may have put text or null. */
export function numberField(row: Row, name: string): number {
  const value = present(row, name);
  if (typeof value !== "number") throw wrong(name, "a number", value);
  return value;
}

/** A whole number from 0. */
export function countField(row: Row, name: string): number {
  const value = present(row, name);
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw wrong(name, "a whole number from 0", value);
  return value as number;
}

export function numbersField(row: Row, name: string): readonly number[] {
  const value = present(row, name);
  if (!Array.isArray(value)) throw wrong(name, "a list of numbers", value);
  const at = value.findIndex((item) => typeof item !== "number");
  if (at !== -1) throw wrong(`${name}[${at}]`, "a number", value[at]);
  return value;
}

/** What `read` gives, or null if the field is null. */
export function orNull<T>(row: Row, name: string, read: (row: Row, name: string) => T): T | null {
  return present(row, name) === null ? null : read(row, name);
}

export function oneOfField<T extends string>(row: Row, name: string, choices: readonly T[]): T {
  const value = present(row, name);
  if (!choices.includes(value as T)) throw wrong(name, `one of ${choices.join(", ")}`, value);
  return value as T;
}

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
  throw wrong(name, "text", value);
}

/** true or false; numbers count as true above one half, as scores of correctness are written. */
export function looseFlag(row: Row, ...names: readonly string[]): boolean | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value > 0.5;
  throw wrong(name, "true or false", value);
}

/** A finite number: 1e999 in JSON is no number that anything can be computed with. */
export function looseNumber(row: Row, ...names: readonly string[]): number | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (typeof value === "number") return finiteOrNull(value);
  throw wrong(name, "a number", value);
}

export function looseList(row: Row, ...names: readonly string[]): readonly unknown[] | null {
  const found = first(row, names);
  if (found === null) return null;
  const [name, value] = found;
  if (Array.isArray(value)) return value;
  throw wrong(name, "a list", value);
}

/**
 * A list of finite numbers.
 * @returns null if the list is not there, or lacks one of its numbers
 */
export function looseNumbers(value: unknown, name: string): readonly number[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw wrong(name, "a list of numbers", value);
  if (value.some((item) => item === null || Math.abs(item) === Number.POSITIVE_INFINITY)) return null;
  const at = value.findIndex((item) => typeof item !== "number");
  if (at !== -1) throw wrong(`${name}[${at}]`, "a number", value[at]);
  return value;
}

/** Two indices, [start, end]. */
export function spanField(row: Row, name: string): readonly [number, number] {
  const span = numbersField(row, name);
  if (span.length !== 2) throw new TypeError(`"${name}" has ${span.length} numbers, expected [start, end]`);
  return span as unknown as readonly [number, number];
}

/** @returns null for what is not a finite number */
export const finiteOrNull = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

/** The first of the names whose value is there. */
function first(row: Row, names: readonly string[]): [name: string, value: unknown] | null {
  const name = names.find((each) => row[each] !== undefined && row[each] !== null);
  return name === undefined ? null : [name, row[name]];
}

function present(row: Row, name: string): unknown {
  if (!Object.hasOwn(row, name)) throw new TypeError(`"${name}" is missing`);
  return row[name];
}

const wrong = (name: string, expected: string, got: unknown): TypeError =>
  new TypeError(`"${name}" is ${show(got)}, expected ${expected}`);

const show = (value: unknown): string => showShortly(value, 40);
