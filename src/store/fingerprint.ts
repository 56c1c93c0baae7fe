import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { errnoOf, withFile } from "./file-error.ts";

/** SHA-256 of a file's bytes, lower-case hex. Streams, so any size is fine. */
export async function fingerprintFile(path: string): Promise<string> {
  return withFile(path, async () => {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
    return hash.digest("hex");
  });
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
