import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { stringifyRow } from "../formats/stringify-row.ts";
import { appendOnce } from "./append-once.ts";
import { makeFolder, withFile } from "./file-error.ts";

/** An open JSONL file that grows by whole rows. Dispose of it to flush and close. */
export interface JsonlAppender extends AsyncDisposable {
  /** Length of the half line that an interrupted writer had left and that was cut off, 0 if there was none. */
  readonly cutBytes: number;
  /**
   * Adds rows in one write call, so that a kill leaves at most one half line, at the very end.
   * @throws SepError `not-json`, see `stringifyRow`; nothing is written then; `disk-full`
   */
  append(rows: readonly unknown[]): Promise<void>;
}

/**
 * Opens a JSONL file for appending and mends its end first: a half last line is cut off, a whole one that only
 * lacks its newline gets it. The file is made if needed. One writer at a time; see `acquireLock`.
 */
export async function openJsonlAppender(path: string): Promise<JsonlAppender> {
  await makeFolder(dirname(path));
  const file = await withFile(path, () => open(path, "a+"));
  let cutBytes: number;
  try {
    cutBytes = await withFile(path, () => mendEnd(file));
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    cutBytes,
    async append(rows) {
      if (rows.length > 0) await appendOnce(file, path, rows.map((row) => `${stringifyRow(row)}\n`).join(""));
    },
    async [Symbol.asyncDispose]() {
      try {
        await withFile(path, () => file.datasync());
      } finally {
        await file.close();
      }
    },
  };
}

/** @returns the number of bytes cut off */
async function mendEnd(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const tail = await readLastLine(file, size);
  if (tail.length === 0) return 0;
  if (isJson(tail)) {
    await file.write("\n");
    return 0;
  }
  await file.truncate(size - tail.length);
  return tail.length;
}

/** The bytes after the last newline. */
async function readLastLine(file: FileHandle, size: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let end = size;
  while (end > 0) {
    const length = Math.min(READ_SIZE, end);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, end - length);
    const piece = buffer.subarray(0, bytesRead);
    const newline = piece.lastIndexOf(0x0a);
    pieces.unshift(piece.subarray(newline + 1));
    if (newline !== -1) break;
    end -= length;
  }
  return Buffer.concat(pieces);
}

const READ_SIZE = 1 << 16;

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}
