import { SepError } from "../../errors.ts";

/** Typed access to a GGUF file's metadata; every error names the file, the key and its value. */
export interface GgufMetadata {
  readonly path: string;
  readonly keys: readonly string[];
  has(key: string): boolean;
  /** A positive integer. */
  size(key: string): number;
  /** An integer from 0, or null when absent. */
  index(key: string): number | null;
  number(key: string): number;
  flag(key: string, fallback: boolean): boolean;
  text(key: string): string;
  texts(key: string): readonly string[];
  numbers(key: string): Float64Array;
  /** For messages. */
  show(key: string): string;
}

/** @throws SepError `bad-checkpoint`, from every accessor, for a value of another type */
export function createGgufMetadata(path: string, values: ReadonlyMap<string, GgufValue>): GgufMetadata {
  const show = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) return "missing";
    if (typeof value === "object") return `an array of ${value.length}`;
    return typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN_CHARACTERS)) : String(value);
  };
  const fail = (key: string, expected: string): never => {
    throw new SepError(
      "bad-checkpoint",
      `${path}: "${key}" is ${show(key)}, expected ${expected}. Download the file again or recreate it.`,
    );
  };
  const finite = (key: string): number | null => {
    const value = values.get(key);
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : null;
  };
  return {
    path,
    keys: [...values.keys()],
    has: (key) => values.has(key),
    show,
    size(key) {
      const value = finite(key);
      return value !== null && Number.isSafeInteger(value) && value > 0
        ? value
        : fail(key, "a positive integer");
    },
    index(key) {
      if (!values.has(key)) return null;
      const value = finite(key);
      return value !== null && Number.isSafeInteger(value) && value >= 0
        ? value
        : fail(key, "an integer from 0");
    },
    number: (key) => finite(key) ?? fail(key, "a finite number"),
    flag(key, fallback) {
      const value = values.get(key) ?? fallback;
      return typeof value === "boolean" ? value : fail(key, "true or false");
    },
    text(key) {
      const value = values.get(key);
      return typeof value === "string" ? value : fail(key, "a text");
    },
    texts(key) {
      const value = values.get(key);
      return Array.isArray(value) && value.every((item) => typeof item === "string")
        ? value
        : fail(key, "an array of texts");
    },
    numbers(key) {
      const value = values.get(key);
      return value instanceof Float64Array ? value : fail(key, "an array of numbers");
    },
  };
}

const SHOWN_CHARACTERS = 60;

/** An array of metadata: numbers are in typed arrays, to save memory. */
type GgufArray =
  | readonly string[]
  | readonly boolean[]
  | readonly GgufArray[]
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** A metadata value. 64-bit integers are bigints, all other numbers are numbers. */
export type GgufValue = number | bigint | boolean | string | GgufArray;

/**
 * Reads a value's type, then the value.
 * @param key named in errors
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, `gguf_metadata_value_type`
 */
export function readGgufValue(cursor: GgufCursor, key: string, fail: GgufFail): GgufValue {
  const type = cursor.uint32(`the type of "${key}"`);
  if (type === ARRAY) return readArray(cursor, key, fail, 1);
  const scalar = SCALARS[type] ?? fail(`"${key}" has the value type ${type}, expected 0 to ${HIGHEST_TYPE}`);
  return scalar.read(cursor, `"${key}"`, fail);
}

interface Scalar {
  /** The least number of bytes that one takes. */
  readonly bytes: number;
  read(cursor: GgufCursor, what: string, fail: GgufFail): number | bigint | boolean | string;
}

const ARRAY = 9;
const HIGHEST_TYPE = 12;
const TEXT = 8;
const BOOLEAN = 7;
const UINT64 = 10;
const INT64 = 11;
/** Everything but the array, by its number in the format. */
const SCALARS: Readonly<Record<number, Scalar>> = {
  0: { bytes: 1, read: (cursor, what) => cursor.uint8(what) },
  1: { bytes: 1, read: (cursor, what) => cursor.int8(what) },
  2: { bytes: 2, read: (cursor, what) => cursor.uint16(what) },
  3: { bytes: 2, read: (cursor, what) => cursor.int16(what) },
  4: { bytes: 4, read: (cursor, what) => cursor.uint32(what) },
  5: { bytes: 4, read: (cursor, what) => cursor.int32(what) },
  6: { bytes: 4, read: (cursor, what) => cursor.float32(what) },
  [BOOLEAN]: { bytes: 1, read: readBoolean },
  [TEXT]: { bytes: 8, read: (cursor, what) => cursor.text(what) },
  [UINT64]: { bytes: 8, read: (cursor, what) => cursor.uint64(what) },
  [INT64]: { bytes: 8, read: (cursor, what) => cursor.int64(what) },
  12: { bytes: 8, read: (cursor, what) => cursor.float64(what) },
};

/** Today's vocabularies and merges have at most some 600,000 items. */
const MAX_ITEMS = 1 << 22;
/** Real files have no nested arrays. */
const MAX_DEPTH = 4;
/** Item type and count. */
const EMPTY_ARRAY_BYTES = 12;

function readArray(cursor: GgufCursor, key: string, fail: GgufFail, depth: number): GgufArray {
  if (depth > MAX_DEPTH) return fail(`"${key}" nests arrays deeper than ${MAX_DEPTH}`);
  const type = cursor.uint32(`the item type of "${key}"`);
  const what = `the number of items of "${key}"`;
  if (type === ARRAY) {
    const count = cursor.count(what, { itemBytes: EMPTY_ARRAY_BYTES, most: MAX_ITEMS });
    return Array.from({ length: count }, () => readArray(cursor, key, fail, depth + 1));
  }
  const scalar = SCALARS[type] ?? fail(`"${key}" has items of type ${type}, expected 0 to ${HIGHEST_TYPE}`);
  const count = cursor.count(what, { itemBytes: scalar.bytes, most: MAX_ITEMS });
  const item = `an item of "${key}"`;
  const read = (): unknown => scalar.read(cursor, item, fail);
  const fill = <A extends Float64Array | BigInt64Array | BigUint64Array>(values: A): A => {
    for (let i = 0; i < count; i++) values[i] = read() as A[number];
    return values;
  };
  if (type === UINT64) return fill(new BigUint64Array(count));
  if (type === INT64) return fill(new BigInt64Array(count));
  if (type !== TEXT && type !== BOOLEAN) return fill(new Float64Array(count));
  return Array.from({ length: count }, read) as string[] | boolean[];
}

/** @throws through `fail` for anything but 0 and 1, as the format asks */
function readBoolean(cursor: GgufCursor, what: string, fail: GgufFail): boolean {
  const value = cursor.uint8(what);
  return value <= 1 ? value === 1 : fail(`${what} is ${value}, and a boolean is 0 or 1`);
}

/** Throws the error that says what is wrong with the file and where. */
export type GgufFail = (reason: string) => never;

/**
 * Reads a GGUF header's little-endian fields one after another. No read goes past the end of the bytes, and every
 * length or count is checked against them first.
 */
export interface GgufCursor {
  /** Of the next byte, from the file's start. */
  readonly offset: number;
  uint8(what: string): number;
  int8(what: string): number;
  uint16(what: string): number;
  int16(what: string): number;
  uint32(what: string): number;
  int32(what: string): number;
  uint64(what: string): bigint;
  int64(what: string): bigint;
  float32(what: string): number;
  float64(what: string): number;
  /** A uint64 number of items that take at least `itemBytes` each, all of which must fit into what is left. */
  count(what: string, bounds: { readonly itemBytes: number; readonly most: number }): number;
  /** Its length as uint64, then UTF-8; bytes that are none become U+FFFD. */
  text(what: string, mostBytes?: number): string;
}

/**
 * @param bytes the file's first bytes
 * @param fileSize bytes of the whole file: tells a file that ends from a header that is longer than is read
 */
export function createGgufCursor(bytes: Uint8Array, fileSize: number, fail: GgufFail): GgufCursor {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;

  const failFor = (what: string, claim: string): never => {
    const left = bytes.length - offset;
    return bytes.length < fileSize
      ? fail(`${what} at byte ${offset} ${claim}, and a header may take ${bytes.length} bytes at most`)
      : fail(`${what} at byte ${offset} ${claim}, and ${left} of the file's ${fileSize} bytes are left`);
  };
  const take = (size: number, what: string): number => {
    if (size > bytes.length - offset) failFor(what, `takes ${size} bytes`);
    offset += size;
    return offset - size;
  };
  const count: GgufCursor["count"] = (what, { itemBytes, most }) => {
    const claimed = buffer.readBigUInt64LE(take(8, what));
    if (claimed > BigInt(most)) fail(`${what} is ${claimed}, at most ${most}`);
    if (Number(claimed) * itemBytes > bytes.length - offset)
      failFor(what, `is ${claimed}, which takes ${Number(claimed) * itemBytes} bytes or more`);
    return Number(claimed);
  };
  return {
    get offset() {
      return offset;
    },
    uint8: (what) => buffer.readUInt8(take(1, what)),
    int8: (what) => buffer.readInt8(take(1, what)),
    uint16: (what) => buffer.readUInt16LE(take(2, what)),
    int16: (what) => buffer.readInt16LE(take(2, what)),
    uint32: (what) => buffer.readUInt32LE(take(4, what)),
    int32: (what) => buffer.readInt32LE(take(4, what)),
    uint64: (what) => buffer.readBigUInt64LE(take(8, what)),
    int64: (what) => buffer.readBigInt64LE(take(8, what)),
    float32: (what) => buffer.readFloatLE(take(4, what)),
    float64: (what) => buffer.readDoubleLE(take(8, what)),
    count,
    text(what, mostBytes = MAX_TEXT_BYTES) {
      const length = count(`the length of ${what}`, { itemBytes: 1, most: mostBytes });
      const start = take(length, what);
      return buffer.toString("utf8", start, start + length);
    },
  };
}

/** The longest texts are chat templates, tens of kilobytes. */
const MAX_TEXT_BYTES = 16 << 20;
