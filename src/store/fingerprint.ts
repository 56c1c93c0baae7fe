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

/** {@link fingerprintFile} for files of gigabytes. Yields the number of bytes read since it last yielded. */
export async function* fingerprintLargeFile(path: string): AsyncGenerator<number, string> {
  try {
    const hash = createHash("sha256");
    const file = await openInputFile(path);
    let unreported = 0;
    for await (const chunk of file.createReadStream()) {
      hash.update(chunk as Uint8Array);
      unreported += (chunk as Uint8Array).length;
      if (unreported < REPORTED_BYTES) continue;
      yield unreported;
      unreported = 0;
    }
    return hash.digest("hex");
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
