import { SepError } from "../errors.ts";

/** Any value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** JSON with object keys in sorted order at every depth, so that equal values give equal text. */
export function stableStringify(value: Json, indent?: number): string {
  return JSON.stringify(sortKeys(value), null, indent);
}

function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value !== null && typeof value === "object") {
    const object = value as { readonly [key: string]: Json };
    return Object.fromEntries(
      Object.keys(object)
        .sort()
        .map((key) => [key, sortKeys(object[key] as Json)]),
    );
  }
  return value;
}

/**
 * One line of JSON, without its newline. Floats are written so that they read back as the same 64-bit number.
 * @throws SepError `not-json` for what `JSON.stringify` would silently write as something else: NaN and
 *   infinities (as null), undefined inside an array (as null), typed arrays (as objects)
 */
export function stringifyRow(row: unknown): string {
  const text = JSON.stringify(row, refuseWhatJsonLacks);
  if (text === undefined) throw new SepError("not-json", `A row must be JSON, got ${typeof row}.`);
  return text;
}

function refuseWhatJsonLacks(this: unknown, key: string, value: unknown): unknown {
  const lacking =
    typeof value === "number" && !Number.isFinite(value)
      ? String(value)
      : ArrayBuffer.isView(value)
        ? `a ${value.constructor.name} (use Array.from)`
        : value === undefined && Array.isArray(this)
          ? "undefined in an array"
          : null;
  if (lacking === null) return value;
  throw new SepError(
    "not-json",
    `JSON cannot represent ${lacking}, at "${key}". Write null or leave it out.`,
  );
}

/**
 * JSON as Python's `json` module writes it: NaN and infinities, which JSON has not, become null.
 * @throws SyntaxError as `JSON.parse`
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!NOT_FINITE.test(text)) throw error;
    return JSON.parse(
      text.replace(STRING_OR_NOT_FINITE, (found) => (found.startsWith('"') ? found : "null")),
    );
  }
}

const NOT_FINITE = /NaN|Infinity/;
/** Strings are matched as wholes, so that what they contain is left alone. */
const STRING_OR_NOT_FINITE = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/gs;

/**
 * The first object key that occurs twice in one object of a valid JSON text; `JSON.parse` would silently keep
 * the last. One pass over the text.
 * @returns null if every key is there once
 */
export function findDuplicateKey(json: string): string | null {
  const open: (Set<string> | null)[] = []; // keys so far of each open object, null for an array
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === "{") open.push(new Set());
    else if (char === "[") open.push(null);
    else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const end = endOfString(json, i);
      const keys = open.at(-1);
      if (keys && isKey(json, end)) {
        const key = JSON.parse(json.slice(i, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return null;
}

/** @returns the index after the closing quote of the string that opens at `start` */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
  return i + 1;
}

function isKey(json: string, afterString: number): boolean {
  let i = afterString;
  while (json[i] === " " || json[i] === "\n" || json[i] === "\t" || json[i] === "\r") i++;
  return json[i] === ":";
}
