import { createHash } from "node:crypto";
import { type FileHandle, stat } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { errnoOf, explainFileError } from "./file-error.ts";
import { openInputFile } from "./read-file.ts";

/** SHA-256 of a text (UTF-8) or bytes, lower-case hex. */
export function fingerprint(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** SHA-256 of a file's bytes, lower-case hex. Streams, so any size is fine. */
export async function hashFile(path: string): Promise<string> {
  const reading = hashLargeFile(path);
  for (;;) {
    const next = await reading.next();
    if (next.done) return next.value;
  }
}

/** Bytes between two reports on the reading of a large file. */
const REPORTED_BYTES = 2 ** 26;

/** {@link hashFile} for files of gigabytes. Yields the number of bytes read since it last yielded. */
export async function* hashLargeFile(path: string): AsyncGenerator<number, string> {
  try {
    await using file = await openInputFile(path);
    const hash = createHash("sha256");
    for (let at = 0; ; at += REPORTED_BYTES) {
      const bytesRead = await readStretch(file, at, at + REPORTED_BYTES, (bytes) => hash.update(bytes));
      if (bytesRead < REPORTED_BYTES) return hash.digest("hex");
      yield bytesRead;
    }
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** Read at a time, the next while one is hashed. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Reads a stretch of a file, or what there is of it.
 * @param take gets the bytes, and where they are in the file
 * @returns how many there are
 */
async function readStretch(
  file: FileHandle,
  begin: number,
  end: number,
  take: (bytes: Buffer, at: number) => void,
): Promise<number> {
  const chunkBytes = Math.min(CHUNK_BYTES, end - begin);
  let [chunk, other] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
  let at = begin;
  let reading = file.read(chunk, 0, chunkBytes, at);
  for (;;) {
    const { bytesRead } = await reading;
    const next = at + bytesRead;
    const isLast = bytesRead === 0 || next === end;
    if (!isLast) {
      reading = file.read(other, 0, Math.min(chunkBytes, end - next), next);
      reading.catch(() => undefined); // thrown where it is awaited
    }
    take(chunk.subarray(0, bytesRead), at);
    at = next;
    if (isLast) return at - begin;
    [chunk, other] = [other, chunk];
  }
}

/** Up to this size, a file's fingerprint is what any tool for SHA-256 prints. */
const PLAIN_BYTES = 2 ** 24;
/** The checksums of larger files are of pieces of this size, of which a question's states at one layer fill several. */
const PIECE_BYTES = 2 ** 16;
/** Begins the fingerprint of a file that was read in pieces. */
const IN_PIECES = "64KiB-crc32:";

/**
 * What a manifest knows a file by: its SHA-256, lower-case hex. For a file of more than 16 MiB, `64KiB-crc32:` and the SHA-256
 * of the CRC-32s of its pieces of 64 KiB, as big-endian numbers of four bytes: these can be computed in any order, as the
 * file is filled, and several times as fast. Fingerprints tell files apart; they keep nobody from changing a file and its manifest.
 */
export async function fingerprintFile(path: string): Promise<string> {
  try {
    await using file = await openInputFile(path);
    return await createFingerprint(file, (await file.stat()).size).finish();
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** The fingerprint of a file of known size that is filled in any order. */
export interface GrowingFingerprint {
  /** To be called after each write. Computes the checksums of pieces that are written from beginning to end, in one call or several. */
  wrote(bytes: Uint8Array, at: number): void;
  /** @returns {@link fingerprintFile}; reads the pieces that were written in another order */
  finish(): Promise<string>;
}

export function createFingerprint(file: FileHandle, totalBytes: number): GrowingFingerprint {
  const count = Math.ceil(totalBytes / PIECE_BYTES);
  const checksums = new Uint32Array(count);
  /** Of each piece, how many bytes its checksum is of. */
  const done = new Uint32Array(count);

  /** @param from of the bytes, within the piece */
  const add = (piece: number, bytes: Uint8Array, from: number): void => {
    const follows = from === 0 || from === done[piece];
    // what was read may be overwritten now
    done[piece] = follows ? from + bytes.length : 0;
    if (follows) checksums[piece] = crc32(bytes, from === 0 ? 0 : checksums[piece]);
  };
  const isPlain = totalBytes <= PLAIN_BYTES;
  const wrote = (bytes: Uint8Array, at: number): void => {
    if (isPlain) return; // read as a whole at the end
    for (let begin = 0; begin < bytes.length; ) {
      const piece = Math.floor((at + begin) / PIECE_BYTES);
      const from = at + begin - piece * PIECE_BYTES;
      const end = Math.min(begin + PIECE_BYTES - from, bytes.length);
      add(piece, bytes.subarray(begin, end), from);
      begin = end;
    }
  };
  return {
    wrote,
    async finish() {
      if (isPlain) {
        const hash = createHash("sha256");
        await readStretch(file, 0, totalBytes, (bytes) => hash.update(bytes));
        return hash.digest("hex");
      }
      const isDone = (piece: number): boolean =>
        done[piece] === Math.min(PIECE_BYTES, totalBytes - piece * PIECE_BYTES);
      for (let piece = 0; piece < count; piece++) {
        const first = piece;
        while (piece < count && !isDone(piece)) piece++;
        const end = Math.min(piece * PIECE_BYTES, totalBytes);
        if (piece > first) await readStretch(file, first * PIECE_BYTES, end, wrote);
      }
      const bytes = Buffer.alloc(4 * count);
      for (const [piece, checksum] of checksums.entries()) bytes.writeUInt32BE(checksum, 4 * piece);
      return `${IN_PIECES}${fingerprint(bytes)}`;
    },
  };
}

/**
 * Identifies a file's version by its metadata in the file system.
 * @returns null if there is no such file
 */
export async function readSignature(path: string): Promise<string | null> {
  try {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    return `${size} ${mtimeNs} ${ino}`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
}
