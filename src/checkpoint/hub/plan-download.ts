import { statfs } from "node:fs/promises";
import { SepError } from "../../errors.ts";
import { makeFolder } from "../../store/file-error.ts";
import type { Hub } from "./hub.ts";
import type { ModelCache } from "./hub-cache.ts";
import type { HubFile } from "./inspect-file.ts";
import type { PlannedFile, PullEvent } from "./pull-event.ts";
import { sizeIfThere } from "./size-if-there.ts";

/**
 * Says what will be downloaded and how much of it is there, and makes the cache's folder.
 * @throws SepError `disk-full` before anything is downloaded that would not fit
 */
export async function planDownload(
  hub: Hub,
  cache: ModelCache,
  sources: readonly HubFile[],
): Promise<PullEvent> {
  if (sources.length === 0) return { kind: "planned", files: [], totalBytes: 0 };
  const files: PlannedFile[] = [];
  for (const { file, etag, sizeBytes } of sources) {
    const there = (await sizeIfThere(cache.blob(etag))) ?? (await sizeIfThere(cache.incomplete(etag))) ?? 0;
    files.push({ file, receivedBytes: Math.min(there, sizeBytes), totalBytes: sizeBytes });
  }
  const totalBytes = files.reduce((sum, file) => sum + file.totalBytes, 0);
  const receivedBytes = files.reduce((sum, file) => sum + file.receivedBytes, 0);
  const { cacheFolder } = hub.settings;
  await makeFolder(cacheFolder);
  const { bavail, bsize } = await statfs(cacheFolder);
  const missingBytes = totalBytes - receivedBytes;
  if (missingBytes > bavail * bsize) {
    throw new SepError(
      "disk-full",
      `The download needs ${formatGigabytes(missingBytes)}, and the disk of ${cacheFolder} has ${formatGigabytes(bavail * bsize)} left. Free some space, or move the cache with HF_HOME or HF_HUB_CACHE.`,
    );
  }
  return { kind: "planned", files, totalBytes };
}

const formatGigabytes = (sizeBytes: number): string => `${(sizeBytes / 1e9).toFixed(1)} GB`;
