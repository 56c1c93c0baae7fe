import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SepError } from "../errors.ts";
import { createSharedLog, type SharedLog } from "../store/shared-log.ts";

/**
 * A log in this tool's cache, whose folder is made by the first row.
 * @param name of its file, without ending
 * @param what it is that is kept there, for messages
 * @throws SepError from `append`: `cache-not-writable`, `disk-full`, and those of `SharedLog`
 */
export function openCacheLog(folder: string, name: string, what: string): SharedLog {
  const log = createSharedLog(join(folder, `${name}.jsonl`));
  return {
    readNew: () => log.readNew(),
    append: (rows) =>
      mkdir(folder, { recursive: true })
        .then(() => log.append(rows))
        .catch(explainWriteError(folder, what)),
  };
}

function explainWriteError(folder: string, what: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (["EACCES", "EPERM", "EROFS"].includes(error.code ?? "")) {
      throw new SepError(
        "cache-not-writable",
        `${folder} cannot be written, and ${what} are kept there. Set SEP_CACHE to a folder that can.`,
        { cause: error },
      );
    }
    if (error.code !== "ENOSPC") throw error;
    throw new SepError(
      "disk-full",
      `The disk of ${folder} has no room for ${what}. Free some, or set SEP_CACHE to a folder on another disk.`,
      { cause: error },
    );
  };
}
