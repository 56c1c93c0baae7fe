import { createHash, type Hash } from "node:crypto";
import { type FileHandle, stat } from "node:fs/promises";
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
/** Larger files are hashed in pieces of this size, of which a question's states at one layer fill several. */
const PIECE_BYTES = 2 ** 16;
/** Begins the fingerprint of a file that was hashed in pieces. */
const IN_PIECES = "64KiB-sha256:";
const DIGEST_BYTES = 32;

/**
 * What a manifest knows a file by: its SHA-256, lower-case hex. For a file of more than 16 MiB, `64KiB-sha256:` and the
 * SHA-256 of the SHA-256s of its pieces of 64 KiB, as bytes: these can be computed in any order, as the file is filled.
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
  /** To be called after each write. Hashes the pieces that are written from their beginning to their end, in one go or several. */
  wrote(bytes: Uint8Array, at: number): void;
  /** @returns {@link fingerprintFile}; reads the pieces that were written in another order */
  finish(): Promise<string>;
}

export function createFingerprint(file: FileHandle, totalBytes: number): GrowingFingerprint {
  const count = Math.ceil(totalBytes / PIECE_BYTES);
  const digests = Buffer.alloc(count * DIGEST_BYTES);
  const isKnown = new Uint8Array(count);
  /** Pieces that are hashed up to a place. */
  const begun = new Map<number, { readonly hash: Hash; readonly end: number }>();

  /** @param from of the bytes, which are all in one piece */
  const add = (piece: number, bytes: Uint8Array, from: number): void => {
    const [first, last] = [piece * PIECE_BYTES, Math.min((piece + 1) * PIECE_BYTES, totalBytes)];
    const before = from === first ? { hash: createHash("sha256"), end: first } : begun.get(piece);
    // what was hashed may be overwritten now
    begun.delete(piece);
    isKnown[piece] = 0;
    if (before?.end !== from) return;
    const end = from + bytes.length;
    before.hash.update(bytes);
    if (end < last) {
      begun.set(piece, { hash: before.hash, end });
    } else {
      digests.set(before.hash.digest(), piece * DIGEST_BYTES);
      isKnown[piece] = 1;
    }
  };
  const isPlain = totalBytes <= PLAIN_BYTES;
  const wrote = (bytes: Uint8Array, at: number): void => {
    if (isPlain) return; // hashed as a whole at the end
    for (let done = 0; done < bytes.length; ) {
      const piece = Math.floor((at + done) / PIECE_BYTES);
      const size = Math.min((piece + 1) * PIECE_BYTES - (at + done), bytes.length - done);
      add(piece, bytes.subarray(done, done + size), at + done);
      done += size;
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
      for (let piece = isKnown.indexOf(0); piece >= 0; piece = isKnown.indexOf(0, piece)) {
        const known = isKnown.indexOf(1, piece);
        const end = known < 0 ? totalBytes : known * PIECE_BYTES;
        await readStretch(file, piece * PIECE_BYTES, end, wrote);
        piece = known < 0 ? count : known;
      }
      return `${IN_PIECES}${fingerprint(digests)}`;
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
