import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { SepError } from "../errors.ts";
import { stringifyRow } from "../formats/json.ts";
import { errnoOf, explainFileError, makeFolder, withFile } from "./file-error.ts";
import { readExactly } from "./read-file.ts";

/** An open JSONL file that grows by whole rows. Dispose of it to flush and close. */
interface JsonlAppender extends AsyncDisposable {
  /** Bytes of an incomplete last line, left by an interrupted writer, that were cut off; 0 if there was none. */
  readonly cutBytes: number;
  /**
   * Adds rows in one write call, so that a kill leaves at most one half line, at the very end.
   * @throws SepError `not-json`, see `stringifyRow`; nothing is written then; `disk-full`
   */
  append(rows: readonly unknown[]): Promise<void>;
}

/**
 * Opens a JSONL file for appending and repairs its end first: an incomplete last line is cut off, and one that only
 * lacks its newline gets it. The file is created if needed. One writer at a time; see `acquireLock`.
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
    const newline = piece.lastIndexOf(NEWLINE);
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

/** A file of JSON lines that any number of processes append to and read without waiting for each other. */
export interface SharedLog {
  /**
   * Rows added since the last call, by any process; the first call reads all. Lines that are not JSON, such as a
   * killed writer's last one, are skipped.
   */
  readNew(): Promise<readonly unknown[]>;
  /**
   * Adds rows in one write.
   * @throws SepError `not-json`, `disk-full`
   */
  append(rows: readonly unknown[]): Promise<void>;
}

/** @param path its folder must exist; the first row creates the file */
export function createSharedLog(path: string): SharedLog {
  let offset = 0;
  return {
    async readNew() {
      const bytes = await readFrom(path, offset);
      // a line that another process is writing is read once its newline is there
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      offset += end;
      return parseLines(bytes.subarray(0, end));
    },
    async append(rows) {
      if (rows.length === 0) return;
      const file = await withFile(path, () => open(path, "a"));
      try {
        // the leading newline ends what a killed writer may have left
        await appendOnce(file, path, `\n${rows.map(stringifyRow).join("\n")}\n`);
      } finally {
        await file.close();
      }
    },
  };
}

async function readFrom(path: string, offset: number): Promise<Buffer> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Buffer.alloc(0);
    throw explainFileError(error, path);
  }
  try {
    const { size } = await file.stat();
    return Buffer.from(await readExactly(file, offset, Math.max(0, size - offset)));
  } finally {
    await file.close();
  }
}

function parseLines(bytes: Buffer): unknown[] {
  const rows: unknown[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    const line = bytes.toString("utf8", start, end);
    start = end + 1;
    if (line === "") continue;
    try {
      rows.push(JSON.parse(line));
    } catch {
      // truncated or damaged: treated as never written
    }
  }
  return rows;
}

/**
 * Writes a text in one call, so that a kill leaves at most its beginning, and nothing of another writer within it.
 * @param file opened for appending
 * @param path shown in errors
 * @throws SepError `disk-full` if it does not fit, or only a part of it
 */
async function appendOnce(file: FileHandle, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const { bytesWritten } = await withFile(path, () => file.write(bytes));
  if (bytesWritten < bytes.length) {
    throw new SepError(
      "disk-full",
      `The disk is full: only ${bytesWritten} of ${bytes.length} bytes went into ${path}. Free some space and run the same command again; it resumes from what is done.`,
    );
  }
}

const NEWLINE = 0x0a;
