import type { FileHandle } from "node:fs/promises";
import { SepError } from "../errors.ts";

/**
 * `length` bytes from byte `position` of an open file.
 * @param bytes where they go, `length` long; if left out, memory of their own (aligned for any typed array)
 * @throws SepError `bad-artefact` if the file ends before that
 */
export async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  bytes: Buffer = Buffer.from(new ArrayBuffer(length)),
): Promise<Buffer> {
  let done = 0;
  while (done < length) {
    const wanted = Math.min(length - done, MAX_READ_BYTES);
    const { bytesRead } = await file.read(bytes, done, wanted, position + done);
    if (bytesRead === 0) {
      throw new SepError(
        "bad-artefact",
        `A file ended at byte ${position + done}, expected ${position + length}. It was cut off; make it anew.`,
      );
    }
    done += bytesRead;
  }
  return bytes;
}

/** read(2) takes less than 2 GiB at once. */
const MAX_READ_BYTES = 1 << 30;
