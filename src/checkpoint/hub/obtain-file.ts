import { dirname, join } from "node:path";
import { makeFolder } from "../../store/file-error.ts";
import { downloadBlob } from "./download-blob.ts";
import type { Hub } from "./hub.ts";
import type { ModelCache } from "./hub-cache.ts";
import type { HubFile } from "./inspect-file.ts";
import { linkSnapshot } from "./link-snapshot.ts";
import type { PullEvent } from "./pull-event.ts";
import { sizeIfThere } from "./size-if-there.ts";
import { waitForLock } from "./wait-for-lock.ts";

/**
 * Brings a file into its commit's snapshot, and its content into the cache unless it is there. Two processes that
 * want the same content load it once.
 * @throws SepError as `downloadBlob` and `waitForLock` do
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

/** A content of another size was cut short by a crash, or by someone: it does not count. */
const hasSize = async (path: string, sizeBytes: number): Promise<boolean> =>
  (await sizeIfThere(path)) === sizeBytes;
