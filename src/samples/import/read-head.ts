import { createReadStream } from "node:fs";
import { SepError } from "../../errors.ts";
import { errnoOf, explainFileError } from "../../store/file-error.ts";

/** The beginning of a file. */
export interface FileHead {
  /** Whole lines that are not blank, at least one if the file has any; a last one without newline counts. */
  readonly lines: readonly string[];
  /** The first bytes, those of the first line and maybe more. */
  readonly beginning: Uint8Array;
}

/**
 * Reads a file's first lines, and of a longer first line its first 64 MiB.
 * @throws SepError `missing-input`
 */
export async function readHead(path: string): Promise<FileHead> {
  const chunks: Buffer[] = [];
  let ended = true;
  try {
    for await (const chunk of createReadStream(path, { end: MOST_HEAD_BYTES })) {
      chunks.push(chunk as Buffer);
      if (!(chunk as Buffer).includes(NEWLINE)) continue;
      ended = false;
      break;
    }
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw explainFileError(cause, path);
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
/** As long as the longest line that is read; a file whose first line is longer is no file of lines. */
const MOST_HEAD_BYTES = 1 << 26;
