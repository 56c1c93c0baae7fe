import type { FileHandle } from "node:fs/promises";

/**
 * Writes all of `bytes` at byte `position` of an open file; a single write(2) may take only some of them, as it does
 * on a disk that runs full.
 */
export async function writeExactly(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
