import { statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SepError } from "../../errors.ts";
import { runConcurrently } from "../../net/map-concurrently.ts";
import { errnoOf, explainCacheError, makeFolder } from "../../store/file-error.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { formatGigabytes } from "../../text/format-numbers.ts";
import { SHARD_INDEX, weightFileNames } from "../weight-index.ts";
import { type ChosenFiles, chooseFiles, type FileChoice, LANGUAGE_MODEL_FILES } from "./choose-files.ts";
import { readRef } from "./find-cached-model.ts";
import type { Hub, PlannedFile, PullEvent, PullNote, PullPlan } from "./hub.ts";
import { locateModelCache, type ModelCache, sizeIfThere } from "./hub-cache.ts";
import type { HubModelId } from "./hub-model-id.ts";
import { obtainFile } from "./obtain-file.ts";
import { type HubFile, inspectFile, readModelInfo } from "./read-model-info.ts";

interface PullRepositoryOptions {
  /** Which of its files are wanted; a language model's by default. */
  readonly choice?: FileChoice | undefined;
  /** Chooses among the names of all files, in place of `choice`. @throws SepError `hub-file-missing` */
  readonly choose?: ((names: readonly string[]) => ChosenFiles) | undefined;
  /** Tries for the first request; 1 where a cached copy would do. */
  readonly tries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model or a data set in the cache. */
export interface PulledCommit {
  readonly commit: string;
  /** The snapshot: a folder in Hugging Face format. */
  readonly folder: string;
}

/** Requests for metadata are short; downloads share the bandwidth. */
const INSPECTIONS_AT_A_TIME = 8;
const DOWNLOADS_AT_A_TIME = 4;

/**
 * Asks the hub for a model's newest commit and downloads what the cache lacks of it: config, tokenizer and
 * weights. The branch is moved to the new commit last, so that it never points to an incomplete one.
 * @throws SepError `hub-unreachable`, `gated-model`, `model-not-found`, `revision-not-found`, `hub-file-missing`,
 *   `hub-token-refused`, `no-safetensors`, `download-damaged`, `disk-full`, `cache-not-writable`, `output-locked`
 */
export async function* pullRepository(
  hub: Hub,
  id: HubModelId,
  { choice = LANGUAGE_MODEL_FILES, choose, tries, signal }: PullRepositoryOptions = {},
): AsyncGenerator<PullEvent, PulledCommit> {
  const { cacheFolder } = hub.settings;
  const cache = locateModelCache(cacheFolder, id.repo, id.kind);
  const info = yield* readModelInfo(hub, id, { tries, signal });
  const chosen = choose?.(info.files) ?? chooseFiles(id, info.files, choice);
  try {
    yield* obtainFiles({ hub, cache, id, commit: info.commit, signal }, info.files, chosen);
    await noteAbsent(cache, info.commit, chosen.absent);
    await noteRevision(cache, id.revision, info.commit);
  } catch (error) {
    throw explainCacheError(error, cacheFolder, "another cache with HF_HOME or HF_HUB_CACHE");
  }
  return { commit: info.commit, folder: cache.snapshot(info.commit) };
}

/** One commit on its way into the cache. */
interface Pull {
  readonly hub: Hub;
  readonly cache: ModelCache;
  readonly id: HubModelId;
  readonly commit: string;
  readonly signal: AbortSignal | undefined;
}

/** @param known all files of the commit */
async function* obtainFiles(
  pull: Pull,
  known: readonly string[],
  { files, sharded }: ChosenFiles,
): AsyncGenerator<PullEvent, void> {
  const { hub, cache, id, commit, signal } = pull;
  let wanted = files;
  if (sharded) {
    // this file lists the shards
    for (const source of yield* inspectMissing(pull, [SHARD_INDEX])) {
      yield* obtainFile(hub, cache, source, signal);
    }
    const shards = await weightFileNames(cache.snapshot(commit));
    const lost = shards.find((name) => !known.includes(name));
    if (lost !== undefined) {
      throw new SepError(
        "hub-file-missing",
        `${id.repo} has no ${lost}, which its ${SHARD_INDEX} names. Is the upload complete? Tell its owners, or try an older "@revision".`,
      );
    }
    wanted = [...files, ...shards];
  }
  const sources = yield* inspectMissing(pull, wanted);
  yield await planDownload(hub, cache, sources);
  yield* runConcurrently(sources, (source, abort) => obtainFile(hub, cache, source, abort), {
    concurrency: DOWNLOADS_AT_A_TIME,
    signal,
  });
}

/** Looks up the files that the snapshot lacks. Those that it has are of the same commit and cannot be outdated. */
async function* inspectMissing(
  { hub, cache, id, commit, signal }: Pull,
  names: readonly string[],
): AsyncGenerator<PullNote, HubFile[]> {
  const folder = cache.snapshot(commit);
  const missing: string[] = [];
  for (const name of names) if ((await sizeIfThere(join(folder, name))) === null) missing.push(name);
  return yield* runConcurrently(missing, (name, abort) => inspectFile(hub, id, commit, name, abort), {
    concurrency: INSPECTIONS_AT_A_TIME,
    signal,
  });
}

/** Marks files as absent from a commit, as Python does, so that the hub is not asked again. */
async function noteAbsent(cache: ModelCache, commit: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = cache.absent(commit, name);
    if ((await sizeIfThere(path)) !== null) continue;
    try {
      await makeFolder(dirname(path));
      await writeFile(path, "");
    } catch (error) {
      // a read-only cache: the hub is asked again next time, nothing worse
      if (!["EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) throw error;
    }
  }
}

/** Points a branch or tag to its commit; does not write what is there already, since the cache may be read-only. */
async function noteRevision(cache: ModelCache, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await readRef(cache, revision)) === commit) return;
  await writeAtomic(cache.ref(revision), commit);
}

/**
 * Lists what will be downloaded and how much of it is there already, and creates the cache folder.
 * @throws SepError `disk-full`, before the download starts, if it would not fit
 */
async function planDownload(hub: Hub, cache: ModelCache, sources: readonly HubFile[]): Promise<PullPlan> {
  const { endpoint, cacheFolder } = hub.settings;
  const ends = { source: endpoint, folder: cacheFolder };
  if (sources.length === 0) return { kind: "planned", files: [], totalBytes: 0, ...ends };
  const files: PlannedFile[] = [];
  for (const { file, etag, sizeBytes } of sources) {
    const there = (await sizeIfThere(cache.blob(etag))) ?? (await sizeIfThere(cache.incomplete(etag))) ?? 0;
    files.push({ file, receivedBytes: Math.min(there, sizeBytes), totalBytes: sizeBytes });
  }
  const totalBytes = files.reduce((sum, file) => sum + file.totalBytes, 0);
  const receivedBytes = files.reduce((sum, file) => sum + file.receivedBytes, 0);
  await makeFolder(cacheFolder);
  const { bavail, bsize } = await statfs(cacheFolder);
  const missingBytes = totalBytes - receivedBytes;
  if (missingBytes > bavail * bsize) {
    throw new SepError(
      "disk-full",
      `The download needs ${formatGigabytes(missingBytes)}, and the disk of ${cacheFolder} has ${formatGigabytes(bavail * bsize)} left. Free some space, or move the cache with HF_HOME or HF_HUB_CACHE.`,
    );
  }
  return { kind: "planned", files, totalBytes, ...ends };
}
