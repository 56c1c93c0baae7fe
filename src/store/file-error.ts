import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SepError, type SepErrorCode } from "../errors.ts";
import { shorten } from "../text/shorten.ts";

/** File system errors as this package's codes. */
const CODE_OF: ReadonlyMap<string, SepErrorCode> = new Map([
  ["ENOSPC", "disk-full"],
  ["EDQUOT", "disk-full"],
  ["EACCES", "permission-denied"],
  ["EPERM", "permission-denied"],
  ["EROFS", "permission-denied"],
  ["EISDIR", "is-a-folder"],
  ["ERR_FS_EISDIR", "is-a-folder"],
  ["ENOTDIR", "not-a-folder"],
  ["EMFILE", "too-many-open-files"],
  ["ENFILE", "too-many-open-files"],
  ["EFBIG", "disk-full"],
  ["ENAMETOOLONG", "bad-path"],
  ["ELOOP", "bad-path"],
  ["EXDEV", "bad-path"],
  ["EIO", "disk-failed"],
  ["ESTALE", "disk-failed"],
]);

/** Calls on sockets and processes fail with the same codes but mean something else. */
const OTHER_CALLS: ReadonlySet<string> = new Set(["connect", "listen", "bind", "kill", "getaddrinfo"]);

/**
 * Explains in plain words what a file system refused.
 * @param path of the file, where the error does not know it: errors of open files do not
 * @returns a `SepError`, or the error itself if it is one already or about something else
 */
export function explainFileError(error: unknown, path?: string): unknown {
  const system = systemErrorOf(error);
  if (error instanceof SepError || system === null) return error;
  const code = CODE_OF.get(system.code);
  if (code === undefined) return error;
  const place = system.path ?? path ?? "a file";
  return new SepError(code, SENTENCE_OF[code as FileErrorCode](place, system), { cause: error });
}

type FileErrorCode =
  | "disk-full"
  | "permission-denied"
  | "is-a-folder"
  | "not-a-folder"
  | "too-many-open-files"
  | "bad-path"
  | "disk-failed";

const SENTENCE_OF: Readonly<Record<FileErrorCode, (place: string, error: SystemError) => string>> = {
  "disk-full": (place, { code }) =>
    `${FULL[code] ?? "The disk is full"}: ${place} cannot be written (${code}). Free some space and run the same command again; it resumes from what is done.`,
  "permission-denied": (place, { code }) =>
    code === "EROFS"
      ? `${place} is on a read-only file system. Use another folder, or mount it for writing.`
      : `No permission for ${place} (${code}). Change its permissions or owner, or use another folder.`,
  "is-a-folder": (place) => `${place} is a folder, expected a file. Move the folder away, or name a file.`,
  "not-a-folder": (place) =>
    `${place} leads through a file, expected folders only. Move that file away, or use another path.`,
  "too-many-open-files": (place, { code }) =>
    code === "ENFILE"
      ? `This machine has too many open files (ENFILE); ${place} cannot be opened. Close some programs and run the same command again.`
      : `Too many files are open; ${place} cannot be opened (EMFILE). Raise the limit, for example with \`ulimit -n 4096\`, and run the same command again.`,
  "bad-path": (place, { code }) => {
    const shown = shorten(place, LONGEST_PATH);
    if (code === "ENAMETOOLONG")
      return `The path ${shown} has ${place.length} characters, more than this file system allows in a name or a path (ENAMETOOLONG). Use a shorter path.`;
    if (code === "ELOOP")
      return `The symbolic links of ${shown} lead in a circle (ELOOP). Remove one of them, or use another path.`;
    return `${shown} and its temporary file are on different file systems (EXDEV), but a file can be replaced only within one. Mount the whole folder instead of the single file, or use another folder.`;
  },
  "disk-failed": (place, { code }) =>
    code === "ESTALE"
      ? `${place} no longer exists on its network file system (ESTALE): the server has replaced or moved it. Mount the file system again and run the same command again.`
      : `The disk failed to read or write ${place} (EIO). Check the disk, its cable or its network mount, and copy what can still be read.`,
};

/** The disk has space, but not for this file. */
const FULL: Readonly<Record<string, string>> = {
  EDQUOT: "Your quota on the disk is used up",
  EFBIG: "The file is larger than the file system or `ulimit -f` allows",
};

/** Characters of a path that an error shows. */
const LONGEST_PATH = 200;

/**
 * The same for a cache, which a setting moves elsewhere: `disk-full`, and `cache-not-writable` for everything that prevents a
 * folder from being written.
 * @param elsewhere completes "Choose …": "another cache with HF_HOME"
 */
export function explainCacheError(error: unknown, folder: string, elsewhere: string): unknown {
  const explained = explainFileError(error, folder);
  if (!(explained instanceof SepError)) return error;
  switch (explained.code) {
    case "disk-full":
      if (errnoOf(explained) === null) return explained; // found before anything was written, and says more
      return new SepError(
        "disk-full",
        `The disk of ${folder} is full. Free some space and run the same command again, which resumes where this one stopped, or choose ${elsewhere}.`,
        { cause: explained.cause },
      );
    case "permission-denied":
    case "not-a-folder":
      return new SepError(
        "cache-not-writable",
        `${folder} cannot be written (${(error as Error).message}). Choose ${elsewhere}.`,
        { cause: explained.cause ?? explained },
      );
    default:
      return explained;
  }
}

/** The system's code of a file error, such as "ENOSPC", also if a `SepError` wraps it. */
export function errnoOf(error: unknown): string | null {
  return systemErrorOf(error instanceof SepError ? error.cause : error)?.code ?? null;
}

/** Runs an operation on a file; errors of the file system are thrown as `explainFileError` words them. */
export async function withFile<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/**
 * Creates a folder and its parents; an existing one is fine. `mkdir` with `recursive` would retry for ever if a
 * parent exists but does not allow new folders, such as `/proc`.
 * @throws SepError `permission-denied`, `not-a-folder`, `disk-full`
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  let at = path;
  while (!(await isFolder(at, path))) {
    missing.unshift(at);
    at = dirname(at);
  }
  for (const folder of missing) {
    try {
      await mkdir(folder);
    } catch (error) {
      if (errnoOf(error) === "EEXIST" && (await isFolder(folder, path))) continue; // another process was quicker
      if (errnoOf(error) !== "ENOENT") throw explainFileError(error, folder);
      throw new SepError(
        "permission-denied",
        `The folder ${folder} cannot be created: ${dirname(folder)} does not allow new folders. Use another folder.`,
        { cause: error },
      );
    }
  }
}

/** @returns false if there is nothing; @throws SepError if there is something else, or it cannot be looked at */
async function isFolder(path: string, wanted: string): Promise<boolean> {
  const found = await stat(path).catch((error: unknown) => {
    const code = errnoOf(error);
    if (code === "ENOENT") return null;
    if (code === "ENOTDIR") return "below a file";
    throw explainFileError(error, path);
  });
  if (found === null || found === "below a file") return false;
  if (found.isDirectory()) return true;
  throw new SepError(
    "not-a-folder",
    `The folder ${wanted} cannot be created: ${path} is a file. Move that file away, or use another folder.`,
  );
}

interface SystemError {
  readonly code: string;
  readonly path: string | undefined;
}

function systemErrorOf(error: unknown): SystemError | null {
  if (!(error instanceof Error)) return null;
  const unopened = findUnopenedModule(error);
  if (unopened !== null) return { code: "EMFILE", path: unopened };
  const { code, path, syscall, errno } = error as NodeJS.ErrnoException & { readonly info?: unknown };
  if (typeof code !== "string" || (errno === undefined && !code.startsWith("ERR_FS_"))) return null;
  if (syscall !== undefined && (OTHER_CALLS.has(syscall) || syscall.startsWith("spawn"))) return null;
  return { code, path };
}

/**
 * Where too many files are open, Node cannot read a package's `package.json` and says that there is no such package; and a
 * native module's loader has words of its own.
 * @returns the path or name of a module that is there and could not be opened; null for every other error
 */
function findUnopenedModule(error: Error): string | null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_DLOPEN_FAILED")
    return error.message.includes("Too many open files") ? (error.message.split(": ")[0] ?? "") : null;
  if (code !== "ERR_MODULE_NOT_FOUND") return null;
  const [, wanted, importer] = /^Cannot find package '(.+)' imported from (.+)$/.exec(error.message) ?? [];
  if (wanted === undefined || importer === undefined) return null;
  const inPackage = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(wanted)?.[0];
  if (inPackage !== undefined) return existsSync(join(inPackage, "package.json")) ? inPackage : null;
  for (let at = dirname(importer), above = ""; at !== above; above = at, at = dirname(at)) {
    const folder = join(at, "node_modules", wanted);
    if (existsSync(join(folder, "package.json"))) return folder;
  }
  return null;
}
