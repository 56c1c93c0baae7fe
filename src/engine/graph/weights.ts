/** Bytes that weights lie in: a file, or memory. */
export interface ByteSource {
  /** What graphs call it: distinct among a model's sources, and without a slash. */
  readonly name: string;
  /** Where the file system has it, absolute; null if it is no file. */
  readonly path: string | null;
  /** All of it, in memory. */
  readAll(): Promise<Uint8Array>;
  /** Opens it for reading parts of it. */
  open(): Promise<ByteReader>;
}

export interface ByteReader extends AsyncDisposable {
  /**
   * Fills `target` with the bytes from `offset` on. Synchronous where they are at hand: a forward pass waits for them.
   * @returns how many there were; fewer than `target` holds where the source ends
   */
  read(target: Uint8Array, offset: number): number | Promise<number>;
}

/** Where one weight's bytes are. */
export interface StoredWeight {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly source: ByteSource;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Every weight of a checkpoint by its name, over all of its sources. */
export type WeightIndex = ReadonlyMap<string, StoredWeight>;

/** Bytes in memory as a source. They are not copied. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    path: null,
    readAll: async () => bytes,
    open: async () => ({
      read(target, offset) {
        const found = bytes.subarray(offset, offset + target.length);
        target.set(found);
        return found.length;
      },
      [Symbol.asyncDispose]: async () => undefined,
    }),
  };
}
