import { join } from "node:path";
import { createSharedLog, type SharedLog } from "../store/append-jsonl.ts";
import { explainCacheError, makeFolder } from "../store/file-error.ts";

/**
 * A log in this tool's cache, whose folder is made by the first row.
 * @param name of its file, without ending
 * @throws SepError from `append`: `cache-not-writable`, `disk-full`, and those of `SharedLog`
 */
export function openCacheLog(folder: string, name: string): SharedLog {
  const log = createSharedLog(join(folder, `${name}.jsonl`));
  return {
    readNew: () => log.readNew(),
    append: (rows) =>
      makeFolder(folder)
        .then(() => log.append(rows))
        .catch((error: unknown) => {
          throw explainCacheError(error, folder, "another folder with SEP_CACHE");
        }),
  };
}
