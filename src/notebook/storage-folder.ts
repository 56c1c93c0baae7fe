import { chmod, lstat, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SepError } from "../errors.ts";
import { writeAtomic } from "../store/write-atomic.ts";

/** The folder beside a notebook for what belongs to it and is no part of it: cache, drafts, results. */
export const storageFolderOf = (notebook: string): string => join(dirname(notebook), ".sep-notebook");

/**
 * Takes the rights of everybody else off a notebook's storage folder and all that is in it, if it is there.
 * Drafts, results and cached values can hold whatever the notebook reads.
 * @throws SepError `unsafe-folder` if it is a link, or of another user, who could read and change what is kept there
 */
export async function secureStorage(notebook: string): Promise<string> {
  const folder = storageFolderOf(notebook);
  const facts = await lstat(folder).catch(nothingThere);
  if (facts === null) return folder;
  const user = process.getuid?.() ?? facts.uid;
  if (!facts.isDirectory() || (facts.uid !== user && user !== ROOT)) {
    const what = facts.isDirectory() ? `belongs to user ${facts.uid}, not to you (${user})` : "is no folder";
    throw new SepError(
      "unsafe-folder",
      `${folder} ${what}, so that others could read and change this notebook's drafts and results. Remove it, or copy the notebook to a folder of your own.`,
    );
  }
  await restrict(folder, OWNER_FOLDER);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await restrict(path, OWNER_FOLDER);
    else if (entry.isFile()) await restrict(path, OWNER_FILE);
  }
  return folder;
}

/** Writes a file below a storage folder, readable for its owner only, whatever the umask is. */
export async function writeStored(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: OWNER_FOLDER });
  await writeAtomic(path, content, { mode: OWNER_FILE });
}

async function restrict(path: string, mode: number): Promise<void> {
  if (((await lstat(path)).mode & PERMISSIONS) === mode) return;
  try {
    await chmod(path, mode);
  } catch (error) {
    // read-only media, and file systems without rights, such as FAT
    if (!["EROFS", "EPERM", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function nothingThere(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

const ROOT = 0;
const PERMISSIONS = 0o777;
const OWNER_FOLDER = 0o700;
const OWNER_FILE = 0o600;
