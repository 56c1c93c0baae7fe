import type { FileHandle } from "node:fs/promises";
import { SepError } from "../errors.ts";

/**
 * Writes a text in one call, so that a kill leaves at most its beginning, and nothing of another writer within it.
 * @param file opened for appending
 * @param path shown in errors
 * @throws SepError `interrupted` if only a part of it was written
 */
export async function appendOnce(file: FileHandle, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const { bytesWritten } = await file.write(bytes);
  if (bytesWritten < bytes.length) {
    throw new SepError(
      "interrupted",
      `Only ${bytesWritten} of ${bytes.length} bytes went into ${path}; is the disk full? Free some space and run again.`,
    );
  }
}
