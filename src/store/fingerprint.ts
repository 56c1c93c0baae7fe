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
      const bytesRead = await readInto(hash, file, at, at + REPORTED_BYTES);
      if (bytesRead < REPORTED_BYTES) return hash.digest("hex");
      yield bytesRead;
    }
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** Read at a time, the next while one is hashed. */
const CHUNK_BYTES = 2 ** 20;

/** Hashes a stretch of a file. @returns how many bytes of it there are */
async function readInto(hash: Hash, file: FileHandle, begin: number, end: number): Promise<number> {
  let [chunk, other] = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)];
  let at = begin;
  let reading = file.read(chunk, 0, Math.min(CHUNK_BYTES, end - at), at);
  for (;;) {
    const { bytesRead } = await reading;
    at += bytesRead;
    const isLast = bytesRead === 0 || at === end;
    if (!isLast) {
      reading = file.read(other, 0, Math.min(CHUNK_BYTES, end - at), at);
      reading.catch(() => undefined); // thrown where it is awaited
    }
    hash.update(chunk.subarray(0, bytesRead));
    if (isLast) return at - begin;
    [chunk, other] = [other, chunk];
  }
}

/** Larger files are hashed in pieces of this size. */
const PIECE_BYTES = 2 ** 24;
/** Marks the fingerprints of files that have several pieces. */
const PIECES = "16MiB-sha256:";

/**
 * What a manifest knows a file by: its SHA-256, lower-case hex; for a file of more than 16 MiB `16MiB-sha256:` and the
 * SHA-256 of the SHA-256s of its pieces of 16 MiB, as bytes. Pieces can be hashed in any order, as a file is being filled.
 */
export async function fingerprintFile(path: string): Promise<string> {
  try {
    await using file = await openInputFile(path);
    return await createFingerprint(file, (await file.stat()).size).finish();
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** The fingerprint of a file of known size, whose bytes are written in any order. */
export interface GrowingFingerprint {
  /** To be called after each write; `end` is exclusive. Hashes the pieces that are complete with it. */
  wrote(begin: number, end: number): Promise<void>;
  /** @returns {@link fingerprintFile}; reads the pieces that were not complete before, or were written again since */
  finish(): Promise<string>;
}

export function createFingerprint(file: FileHandle, totalBytes: number): GrowingFingerprint {
  const pieces = Array.from({ length: Math.max(1, Math.ceil(totalBytes / PIECE_BYTES)) }, (_, index) => {
    const begin = index * PIECE_BYTES;
    const end = Math.min(begin + PIECE_BYTES, totalBytes);
    return { begin, end, missing: end - begin, digest: null as Promise<Buffer> | null };
  });
  const digest = async ({ begin, end }: (typeof pieces)[number]): Promise<Buffer> => {
    const hash = createHash("sha256");
    await readInto(hash, file, begin, end);
    return hash.digest();
  };
  return {
    async wrote(begin, end) {
      for (const piece of pieces.slice(Math.floor(begin / PIECE_BYTES), Math.ceil(end / PIECE_BYTES))) {
        piece.missing -= Math.min(end, piece.end) - Math.max(begin, piece.begin);
        piece.digest = piece.missing === 0 ? digest(piece) : null;
        await piece.digest;
      }
    },
    async finish() {
      const digests: Buffer[] = [];
      for (const piece of pieces) digests.push(await (piece.digest ?? digest(piece)));
      if (digests.length === 1) return (digests[0] as Buffer).toString("hex");
      return `${PIECES}${fingerprint(Buffer.concat(digests))}`;
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
