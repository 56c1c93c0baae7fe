import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { SepError, type SepErrorCode } from "../errors.ts";
import { errnoOf, explainFileError } from "./file-error.ts";

/** Whether there is a file at a path. Errors other than its absence are thrown. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    // ENOTDIR: the path goes through a file as if that were a folder.
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

/**
 * A small file's text, or null if there is no such file.
 * @throws SepError `bad-artifact` if it is larger than `mostBytes`; `explainFileError`'s
 */
export async function readIfThere(
  path: string,
  { mostBytes = MOST_BYTES }: { readonly mostBytes?: number } = {},
): Promise<string | null> {
  return (await readBytesIfThere(path, mostBytes))?.toString("utf8") ?? null;
}

/** The same for bytes. No more than that is read, whatever the file is. */
export async function readBytesIfThere(path: string, mostBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    const file = await openInputFile(path);
    for await (const chunk of file.createReadStream({ end: mostBytes })) {
      chunks.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw explainFileError(error, path);
  }
  if (sizeBytes <= mostBytes) return Buffer.concat(chunks);
  throw new SepError(
    "bad-artifact",
    `${path} has more than ${mostBytes} bytes, the most that such a file can have. Is it the right file? If so, make it again.`,
  );
}

/** Manifests, settings, templates: kilobytes. JSON takes up to thirty times its size in memory. */
const MOST_BYTES = 1 << 24;

/**
 * `length` bytes from byte `position` of an open file.
 * @param bytes where they go, `length` long; if left out, memory of their own (aligned for any typed array)
 * @throws SepError `bad-artifact` if the file ends before that
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
        "bad-artifact",
        `A file ended at byte ${position + done}, expected ${position + length}. It was cut off; make it again.`,
      );
    }
    done += bytesRead;
  }
  return bytes;
}

/** read(2) takes less than 2 GiB at once. */
const MAX_READ_BYTES = 1 << 30;

/**
 * Opens an input of a step. A FIFO, such as a shell's `<(…)`, may never get a writer and can be read only once, but steps
 * read their inputs again to see whether they have changed. Reading a folder fails with the system's own error.
 * @throws SepError `bad-path` for a FIFO, a socket or a device; the system's own error if it cannot be opened
 */
export async function openInputFile(path: string): Promise<FileHandle> {
  const file = await open(path, READ_WITHOUT_WAITING);
  const found = await file.stat();
  if (found.isFile() || found.isDirectory()) return file;
  await file.close();
  throw new SepError(
    "bad-path",
    `${path} is ${found.isFIFO() ? "a FIFO" : "a device"}, expected a regular file, since inputs are read more than once. Write its content to a file and pass that file.`,
  );
}

/** Without O_NONBLOCK, opening a FIFO waits until another process opens it for writing. */
const READ_WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Opens a file of unknown origin for reading. Only a regular file is read: a FIFO would never end, and reading a device
 * may do anything. Links are followed, since the Hugging Face cache consists of them.
 * @param code of the error; the caller knows what the file is
 * @throws SepError with `code` if it is anything else; the system's own error (ENOENT and so on) if it cannot be opened
 */
export async function openRegularFile(path: string, code: SepErrorCode): Promise<FileHandle> {
  const refuse = (found: string, cause?: unknown): never => {
    throw new SepError(
      code,
      `${path} is ${found}, expected a regular file. Download the file again from a source that you trust.`,
      { cause },
    );
  };
  const file = await open(path, READ_WITHOUT_WAITING).catch((error: NodeJS.ErrnoException) => {
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
 * @param mostBytes the most that an honest file of its kind has
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
        `${path} has ${size} bytes, expected at most ${mostBytes} for a file of its kind. Check that it is the right file.`,
      );
    }
    return await readExactly(file, 0, size);
  } finally {
    await file.close();
  }
}
