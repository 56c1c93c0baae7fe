import { randomBytes } from "node:crypto";
import { copyFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { makeFolder } from "../../store/file-error.ts";

export interface LinkSnapshotOptions {
  readonly symlinks: boolean;
  /** No other snapshot can have this blob yet. */
  readonly isNewBlob: boolean;
}

/**
 * Puts a blob into a snapshot under its file's name: a relative link, so that the cache can be moved. Where links
 * cannot be made (Windows without the right to, some network shares) a new blob is moved there and an old one
 * copied, as Python does.
 * @param pointer path of the file in the snapshot; what is there is replaced
 */
export async function linkSnapshot(
  blob: string,
  pointer: string,
  { symlinks, isNewBlob }: LinkSnapshotOptions,
): Promise<void> {
  await makeFolder(dirname(pointer));
  // Made beside it and then renamed: whoever looks sees the old file or the new one.
  const temporary = `${pointer}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    if (symlinks && (await makeLink(relative(dirname(pointer), blob), temporary))) {
      await rename(temporary, pointer);
    } else if (isNewBlob) {
      await rename(blob, pointer);
    } else {
      await copyFile(blob, temporary);
      await rename(temporary, pointer);
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

/** @returns whether this file system and this user can make links */
async function makeLink(target: string, path: string): Promise<boolean> {
  try {
    await symlink(target, path, "file");
    return true;
  } catch (error) {
    if (NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

const NO_LINKS = ["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "UNKNOWN"];
