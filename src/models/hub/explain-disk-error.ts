import { SepError } from "../../errors.ts";

/**
 * Says in people's words that the cache could not be written.
 * @returns the error itself if it is about something else
 */
export function explainDiskError(error: unknown, cacheFolder: string): unknown {
  if (error instanceof SepError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new SepError(
      "disk-full",
      `The disk of ${cacheFolder} is full. Free some space and run the same again, which goes on where this stopped, or move the cache with HF_HOME or HF_HUB_CACHE.`,
      { cause: error },
    );
  }
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST"].includes(code ?? "")) {
    return new SepError(
      "cache-not-writable",
      `${cacheFolder} cannot be written (${(error as Error).message}). Choose another cache with HF_HOME or HF_HUB_CACHE.`,
      { cause: error },
    );
  }
  return error;
}
