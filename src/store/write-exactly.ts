import type { FileHandle } from "node:fs/promises";

/**
 * Writes all of `bytes` to an open file; a single write(2) may take only some of them, as it does on a disk that runs
 * full.
 * @param position from the file's beginning; null: where the last write ended
 */
export async function writeExactly(
  file: FileHandle,
  bytes: Uint8Array,
  position: number | null,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === null ? null : position + done;
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at);
    done += bytesWritten;
  }
}
