import type { FileHandle } from "node:fs/promises";
import { SepError } from "../errors.ts";
import { withFile } from "./file-error.ts";

/**
 * Writes a text in one call, so that a kill leaves at most its beginning, and nothing of another writer within it.
 * @param file opened for appending
 * @param path shown in errors
 * @throws SepError `disk-full` if it does not fit, or only a part of it
 */
export async function appendOnce(file: FileHandle, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const { bytesWritten } = await withFile(path, () => file.write(bytes));
  if (bytesWritten < bytes.length) {
    throw new SepError(
      "disk-full",
      `The disk is full: only ${bytesWritten} of ${bytes.length} bytes went into ${path}. Free some space and run the same command again; it goes on from what is done.`,
    );
  }
}
