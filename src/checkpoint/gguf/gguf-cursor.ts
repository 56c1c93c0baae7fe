/** Reports what is wrong with the file and where; never returns. */
export type GgufFail = (reason: string) => never;

/**
 * Reads a GGUF header's little-endian fields one after another. No read goes past the bytes there are, and no
 * length or count is believed before it is held against them.
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
