import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { hashLargeFile } from "../../store/fingerprint.ts";
import type { HubRepoKind } from "./hub-model-id.ts";

/** Where the parts of one model, or data set, are in the Hugging Face cache. */
export interface ModelCache {
  /** `models--org--name`, or `datasets--org--name` */
  readonly folder: string;
  /** File contents, each named by its ETag. */
  readonly blob: (etag: string) => string;
  /** A partial download. Its name differs from Python's, since Python does not know this program's locks. */
  readonly incomplete: (etag: string) => string;
  readonly lock: (etag: string) => string;
  /** Folder with the files of one commit. */
  readonly snapshot: (commit: string) => string;
  /** A file that holds the commit hash of a branch or tag. */
  readonly ref: (revision: string) => string;
  /** An empty file: the commit has no file of this name. */
  readonly absent: (commit: string, file: string) => string;
  /** Python's list of a commit's files. */
  readonly tree: (commit: string) => string;
}

/**
 * Layout of the cache that Python's huggingface_hub reads and writes.
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export function locateModelCache(cacheFolder: string, repo: string, kind: HubRepoKind = "model"): ModelCache {
  const name = [PREFIXES[kind], ...repo.split("/")].join(SEPARATOR);
  const folder = join(cacheFolder, name);
  return {
    folder,
    blob: (etag) => join(folder, "blobs", etag),
    incomplete: (etag) => join(folder, "blobs", `${etag}.sep.incomplete`),
    lock: (etag) => join(cacheFolder, ".locks", name, `${etag}.sep.lock`),
    snapshot: (commit) => join(folder, "snapshots", commit),
    ref: (revision) => join(folder, "refs", ...revision.split("/")),
    absent: (commit, file) => join(folder, ".no_exist", commit, file),
    tree: (commit) => join(folder, "trees", `${commit}.json`),
  };
}

/** `models--org--name` -> `org/name`; null for any other folder of the cache. */
export function repoOfFolder(name: string): string | null {
  const [kind, ...parts] = name.split(SEPARATOR);
  return kind === PREFIXES.model && parts.length > 0 && parts.every(Boolean) ? parts.join("/") : null;
}

const PREFIXES: Readonly<Record<HubRepoKind, string>> = { model: "models", dataset: "datasets" };
/** Not allowed in the name of a repository, so it can replace the slash. */
const SEPARATOR = "--";

/** Size of a file in bytes, following links; null if there is no such file. */
export async function sizeIfThere(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

/**
 * SHA-256 of a file, lower-case hex. Large files of the hub's cache are named by their hash, which was verified when
 * they were downloaded, so that gigabytes need not be read again. Yields the number of bytes read since it last yielded.
 */
export async function* fingerprintStoredFile(path: string): AsyncGenerator<number, string> {
  const stored = await realpath(path);
  const name = basename(stored);
  const isNamed = basename(dirname(stored)) === "blobs" && /^[0-9a-f]{64}$/.test(name);
  return isNamed ? name : yield* hashLargeFile(stored);
}
