import { createReadStream } from "node:fs";
import { SepError } from "../../errors.ts";

/** The beginning of a file. */
export interface FileHead {
  /** Whole lines that are not blank, at least one if the file has any; a last one without newline counts. */
  readonly lines: readonly string[];
  /** The first bytes, those of the first line and maybe more. */
  readonly beginning: Uint8Array;
}

/**
 * Reads a file's first lines, however long the first one is.
 * @throws SepError `missing-input`
 */
export async function readHead(path: string): Promise<FileHead> {
  const chunks: Buffer[] = [];
  let ended = true;
  try {
    for await (const chunk of createReadStream(path)) {
      chunks.push(chunk as Buffer);
      if (!(chunk as Buffer).includes(NEWLINE)) continue;
      ended = false;
      break;
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new SepError("missing-input", `${path} does not exist.`, { cause });
  }
  const bytes = Buffer.concat(chunks);
  const whole = ended ? bytes : bytes.subarray(0, bytes.lastIndexOf(NEWLINE));
  const lines = whole
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return { lines, beginning: bytes };
}

const NEWLINE = 0x0a;
