import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { SepError, type SepErrorCode } from "../errors.ts";
import { readExactly } from "./read-exactly.ts";

/**
 * Opens a file of unknown origin for reading. Whatever a folder from elsewhere calls its files, only a regular file is
 * read: a FIFO would never end, a device may do anything when it is read. Links are followed, as the Hugging Face
 * cache is made of them.
 * @param code of the error; the caller knows what the file is
 * @throws SepError with `code` if it is anything else; the system's own error (ENOENT and so on) if it cannot be opened
 */
export async function openRegularFile(path: string, code: SepErrorCode): Promise<FileHandle> {
  const refuse = (found: string, cause?: unknown): never => {
    throw new SepError(
      code,
      `${path} is ${found}, expected a regular file. Get the file again, from a source that you trust.`,
      { cause },
    );
  };
  // without O_NONBLOCK, opening a FIFO waits for somebody to write to it
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
  const file = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ELOOP") return refuse("a link that leads to itself", error);
    if (error.code === "ENXIO") return refuse("a socket or a device", error);
    if (error.code === "EISDIR") return refuse("a folder", error); // Windows opens none
    throw error;
  });
  try {
    const found = await file.stat();
    if (found.isFile()) return file;
    return refuse(
      found.isDirectory()
        ? "a folder"
        : found.isFIFO()
          ? "a FIFO"
          : found.isSocket()
            ? "a socket"
            : "a device",
    );
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The bytes of a small file of a model.
 * @param mostBytes what no honest file of its kind has
 * @returns null if there is no such file
 * @throws SepError `bad-checkpoint` if it is not a regular file, `hostile-model` if it is larger than that
 */
export async function readModelFile(path: string, mostBytes: number): Promise<Buffer | null> {
  const file = await openRegularFile(path, "bad-checkpoint").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const { size } = await file.stat();
    if (size > mostBytes) {
      throw new SepError(
        "hostile-model",
        `${path} has ${size} bytes, and no file of its kind has more than ${mostBytes}. Is it what its name says?`,
      );
    }
    return await readExactly(file, 0, size);
  } finally {
    await file.close();
  }
}
