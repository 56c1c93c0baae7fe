import { randomBytes } from "node:crypto";
import { writevSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, explainFileError, makeFolder } from "./file-error.ts";

/** Ending of the temporary files of {@link writeAtomic}; a leftover belongs to a process that died. */
export const TEMPORARY_ENDING = ".tmp";

export interface WriteAtomicOptions {
  /** The file's permissions, regardless of the umask; by default those of any new file. */
  readonly mode?: number;
}

/**
 * Writes a whole file so that a reader or a crash sees either the old content or all of the new one: the bytes
 * go to a temporary file beside it, are flushed to disk, and then take its name.
 * @param content the bytes, or a function that writes them where they do not fit into memory
 * @throws SepError as `explainFileError` says it; the old content stays then
 */
export async function writeAtomic(
  path: string,
  content: string | Uint8Array | ((file: FileHandle) => Promise<void>),
  { mode }: WriteAtomicOptions = {},
): Promise<void> {
  await makeFolder(dirname(path));
  const temporary = `${path}.${randomBytes(6).toString("hex")}${TEMPORARY_ENDING}`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      if (mode !== undefined) await file.chmod(mode);
      if (typeof content === "function") await content(file);
      else await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw explainWriteError(error, path, temporary);
  }
}

/**
 * Writes all of `bytes` to an open file; a single write(2) may write only some of them, as when a disk is getting
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

/**
 * Writes parts one behind the other, without waiting for another thread, which costs four times as much as a write of some
 * kilobytes: for many small writes to a file that nobody syncs in between, so that they end in memory.
 */
export function writePartsSync(file: FileHandle, parts: readonly Uint8Array[], position: number): void {
  let [rest, at] = [[...parts], position];
  while (rest.length > 0) {
    let written = writevSync(file.fd, rest, at);
    at += written;
    rest = rest.flatMap((part) => {
      const gone = Math.min(written, part.length);
      written -= gone;
      return gone < part.length ? [part.subarray(gone)] : [];
    });
  }
}

/**
 * Removes the leftovers of killed writers of a file and of files named after it. Only for the holder of the file's lock:
 * files of a live writer look the same.
 */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder).catch(nothingThere)) {
    const rest = name.startsWith(basename(path)) ? name.slice(basename(path).length) : "";
    if (LEFTOVER.test(rest)) await rm(join(folder, name), { force: true });
  }
}

/** The suffix that {@link writeAtomic} adds to a name; temporary files of locks have another form. */
const LEFTOVER = /^(?:\.[a-z.]+)?\.[0-9a-f]{12}\.tmp$/;

function nothingThere(error: unknown): string[] {
  if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return [];
  throw explainFileError(error);
}

/** Errors name the file, not its temporary file. */
function explainWriteError(error: unknown, path: string, temporary: string): unknown {
  const isTemporary = (error as NodeJS.ErrnoException).path === temporary;
  return explainFileError(isTemporary ? Object.assign(error as Error, { path }) : error, path);
}
