import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { errnoOf, explainFileError } from "./file-error.ts";
import { openInputFile } from "./read-file.ts";

/** SHA-256 of a file's bytes, lower-case hex. Streams, so any size is fine. */
export async function fingerprintFile(path: string): Promise<string> {
  const reading = fingerprintLargeFile(path);
  for (;;) {
    const next = await reading.next();
    if (next.done) return next.value;
  }
}

/** Bytes between two reports on the reading of a large file. */
const REPORTED_BYTES = 2 ** 26;

/** Read at a time, the next while one is hashed. */
const CHUNK_BYTES = 2 ** 20;

/** {@link fingerprintFile} for files of gigabytes. Yields the number of bytes read since it last yielded. */
export async function* fingerprintLargeFile(path: string): AsyncGenerator<number, string> {
  try {
    const hash = createHash("sha256");
    await using file = await openInputFile(path);
    let [chunk, other] = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)];
    let reading = file.read(chunk, 0, CHUNK_BYTES, null);
    let unreported = 0;
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return hash.digest("hex");
      reading = file.read(other, 0, CHUNK_BYTES, null);
      reading.catch(() => undefined); // thrown where it is awaited
      hash.update(chunk.subarray(0, bytesRead));
      [chunk, other] = [other, chunk];
      unreported += bytesRead;
      if (unreported < REPORTED_BYTES) continue;
      yield unreported;
      unreported = 0;
    }
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** SHA-256 of a text (UTF-8) or bytes, lower-case hex. */
export function fingerprint(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
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
