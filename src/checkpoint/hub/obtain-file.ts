import { randomBytes } from "node:crypto";
import { copyFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { SepError } from "../../errors.ts";
import { makeFolder } from "../../store/file-error.ts";
import { acquireLock } from "../../store/lock.ts";
import { downloadBlob } from "./download-blob.ts";
import type { Hub, PullEvent, PullNote } from "./hub.ts";
import { type ModelCache, sizeIfThere } from "./hub-cache.ts";
import type { HubFile } from "./read-model-info.ts";

/**
 * Puts a file into the snapshot of its commit, and downloads its content unless the cache has it. Two processes that
 * want the same content download it once.
 * @throws SepError as `downloadBlob` and `waitForLock`
 */
export async function* obtainFile(
  hub: Hub,
  cache: ModelCache,
  source: HubFile,
  signal?: AbortSignal,
): AsyncGenerator<PullEvent, void> {
  const { etag, file, sizeBytes } = source;
  const blob = cache.blob(etag);
  const incomplete = cache.incomplete(etag);
  const pointer = join(cache.snapshot(source.commit), file);
  await makeFolder(dirname(blob));
  {
    await using _lock = yield* waitForLock(hub, cache.lock(etag), incomplete, file, signal);
    if (!(await hasSize(pointer, sizeBytes))) {
      const isNewBlob = !(await hasSize(blob, sizeBytes));
      if (isNewBlob) yield* downloadBlob(hub, source, { blob, incomplete }, signal);
      await linkSnapshot(blob, pointer, { symlinks: hub.settings.symlinks, isNewBlob });
    }
  }
  yield { kind: "completed", file, receivedBytes: sizeBytes, totalBytes: sizeBytes };
}

/** A blob of another size was cut short, by a crash for example, and does not count. */
const hasSize = async (path: string, sizeBytes: number): Promise<boolean> =>
  (await sizeIfThere(path)) === sizeBytes;

interface LinkSnapshotOptions {
  readonly symlinks: boolean;
  /** No other snapshot can have this blob yet. */
  readonly isNewBlob: boolean;
}

/**
 * Puts a blob into a snapshot under the name of its file, as a relative link, so that the cache can be moved. Where
 * links cannot be made (on Windows without the privilege, on some network shares), a new blob is moved and an old one
 * is copied, as Python does.
 * @param pointer path of the file in the snapshot; what is there is replaced
 */
async function linkSnapshot(
  blob: string,
  pointer: string,
  { symlinks, isNewBlob }: LinkSnapshotOptions,
): Promise<void> {
  await makeFolder(dirname(pointer));
  // Made under another name and then renamed, so that a reader sees the old file or the new one.
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

/** Time between two tries for a lock that is held. */
const POLL_MS = 500;
/** Two minutes without progress: longer than all retries of the holder take. */
const PATIENT_POLLS = 240;

/**
 * Takes the lock of a download. Waits while another process holds it and that download makes progress.
 * @param growing the file that the holder writes
 * @throws SepError `output-locked` when the holder makes no progress
 */
export async function* waitForLock(
  { sleep }: Hub,
  lock: string,
  growing: string,
  file: string,
  signal?: AbortSignal,
): AsyncGenerator<PullNote, AsyncDisposable> {
  let lastSize = -1;
  for (let polls = 0; ; polls++) {
    signal?.throwIfAborted();
    try {
      return await acquireLock(lock);
    } catch (error) {
      if (!(error instanceof SepError) || error.code !== "output-locked") throw error;
      const size = (await sizeIfThere(growing)) ?? 0;
      if (size !== lastSize) polls = 0;
      else if (polls >= PATIENT_POLLS) throw error;
      if (lastSize === -1)
        yield { kind: "note", message: `${file}: waiting for a download that is already running` };
      lastSize = size;
    }
    await sleep(POLL_MS, signal);
  }
}
