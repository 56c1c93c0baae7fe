import type { GgufCursor, GgufFail } from "./gguf-cursor.ts";

/** An array of metadata: numbers lie in typed arrays, so that a long one takes little memory. */
export type GgufArray =
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
  /** The fewest bytes that one takes. */
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

/** Vocabularies and merges hold at most some 600,000 items today. */
const MAX_ITEMS = 1 << 22;
/** Real files nest no arrays at all. */
const MAX_DEPTH = 4;
/** Item type and count, without which there is no array. */
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
  return value <= 1 ? value === 1 : fail(`${what} is ${value}, and a truth value is 0 or 1`);
}
