import { randomBytes } from "node:crypto";
import { constants, copyFile, link, readdir, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { SepError } from "../errors.ts";
import { errnoOf, explainFileError, makeFolder, withFile } from "./file-error.ts";
import { isProcessAlive, readProcessStart } from "./process-identity.ts";
import { readIfThere } from "./read-file.ts";

/**
 * Takes an exclusive lock that lasts until it is disposed of or its process ends. A lock left by a process of
 * this machine that has ended is taken over; if several processes try, one gets it.
 * @param path of the lock file; its folder is made if needed
 * @throws SepError `output-locked` if another process holds it, this one included, or if it comes from another
 *   machine, whose processes cannot be seen from here; `permission-denied`, `disk-full` and the others of
 *   `explainFileError` if there can be no lock
 */
export async function acquireLock(path: string): Promise<AsyncDisposable> {
  await makeFolder(dirname(path));
  const owner: LockOwner = {
    pid: process.pid,
    hostname: hostname(),
    startedAt: await readProcessStart(process.pid),
    nonce: randomBytes(8).toString("hex"),
  };
  // Complete before it gets its name: a kill can leave this file half written, but never the lock itself.
  const temporary = `${path}.${owner.pid}.${owner.nonce}.tmp`;
  try {
    await withFile(path, async () => {
      await writeFile(temporary, `${JSON.stringify(owner)}\n`, { flag: "wx" });
      await claimLock(path, temporary);
    });
  } finally {
    await rm(temporary, { force: true });
  }
  await removeDeadAttempts(path);
  return { [Symbol.asyncDispose]: () => releaseLock(path, owner.nonce) };
}

/** What a lock file holds. */
interface LockOwner {
  readonly pid: number;
  readonly hostname: string;
  /** See `readProcessStart`. */
  readonly startedAt: string | null;
  /** 16 hex digits, different for every lock ever taken. */
  readonly nonce: string;
}

async function claimLock(path: string, temporary: string): Promise<void> {
  for (let vanished = 0; ; ) {
    if (await linkIfFree(temporary, path)) return;
    const found = await readOwner(path);
    if (found === null) {
      vanished += 1; // released a moment ago; a link that leads nowhere looks the same, every time
      if (vanished < MOST_VANISHED) continue;
      throw new SepError(
        "output-locked",
        `${path} is not a readable lock file. Delete it if nothing is writing beside it.`,
      );
    }
    if (found.hostname !== hostname()) {
      throw new SepError(
        "output-locked",
        `${path} is held by process ${found.pid} on ${found.hostname}, which cannot be checked from ${hostname()}. ` +
          "Wait for it; if it has ended, delete that file.",
      );
    }
    if (await isProcessAlive(found.pid, found.startedAt)) {
      throw new SepError(
        "output-locked",
        `${path} is held by process ${found.pid}, which is still running. Wait for it or stop it, then try again.`,
      );
    }
    // Its owner has ended. Who holds the lock named after its nonce, and only they, may replace it: without
    // that, a slow rival could replace the new lock of a quick one in the belief that it is still the old one.
    await using _takeover = await acquireLock(`${path}.${found.nonce}`);
    if ((await readOwner(path))?.nonce === found.nonce) {
      await rename(temporary, path);
      return;
    }
  }
}

/** Retries for locks that are released just as they are inspected; so many in a row do not happen. */
const MOST_VANISHED = 1000;

/** @returns whether `path` was free and now is `temporary` */
async function linkIfFree(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = errnoOf(error) ?? "";
    if (code === "EEXIST") return false;
    if (!NO_HARD_LINKS.includes(code)) throw error;
  }
  try {
    await copyFile(temporary, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw explainFileError(error, path);
  }
}

/** Errors of link(2) on file systems without hard links (exFAT, some network shares). */
const NO_HARD_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** @returns null if there is no lock */
async function readOwner(path: string): Promise<LockOwner | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  try {
    return parseOwner(JSON.parse(text));
  } catch (cause) {
    throw new SepError(
      "output-locked",
      `${path} is not a lock file that this program wrote. Delete it if nothing is writing beside it.`,
      { cause },
    );
  }
}

function parseOwner(value: unknown): LockOwner {
  const { pid, hostname: host, startedAt, nonce } = value as { readonly [key: string]: unknown };
  if (
    typeof pid !== "number" ||
    !Number.isSafeInteger(pid) ||
    pid <= 0 ||
    typeof host !== "string" ||
    (startedAt !== null && typeof startedAt !== "string") ||
    typeof nonce !== "string" ||
    !/^[0-9a-f]{16}$/.test(nonce) // it becomes part of a file name
  ) {
    throw new TypeError("a lock holds pid, hostname, startedAt and nonce");
  }
  return { pid, hostname: host, startedAt, nonce };
}

/** Removes the leftovers of processes that were killed while they tried to take this lock. */
async function removeDeadAttempts(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const attempt = join(dirname(path), name);
    const rest = name.slice(basename(path).length);
    const pid = /^\.(\d+)\.[0-9a-f]{16}\.tmp$/.exec(rest)?.[1];
    const taker = /^\.[0-9a-f]{16}$/.test(rest) ? await readOwner(attempt) : null;
    const dead =
      (pid !== undefined && !(await isProcessAlive(Number(pid), null))) ||
      (taker?.hostname === hostname() && !(await isProcessAlive(taker.pid, taker.startedAt)));
    if (dead) await rm(attempt, { force: true });
  }
}

async function releaseLock(path: string, nonce: string): Promise<void> {
  if ((await readOwner(path))?.nonce === nonce) await rm(path, { force: true });
}
