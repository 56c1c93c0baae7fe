import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SepError } from "../../errors.ts";
import { runConcurrently } from "../../net/run-concurrently.ts";
import { errnoOf, explainCacheError, makeFolder } from "../../store/file-error.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { SHARD_INDEX, weightFileNames } from "../weight-index.ts";
import { type ChosenFiles, chooseFiles } from "./choose-files.ts";
import { type FileChoice, LANGUAGE_MODEL_FILES } from "./file-choice.ts";
import { readRef } from "./find-cached-model.ts";
import type { Hub } from "./hub.ts";
import { locateModelCache, type ModelCache } from "./hub-cache.ts";
import type { HubModelId } from "./hub-model-id.ts";
import { type HubFile, inspectFile } from "./inspect-file.ts";
import { obtainFile } from "./obtain-file.ts";
import { planDownload } from "./plan-download.ts";
import type { PullEvent, PullNote } from "./pull-event.ts";
import { type HubModelInfo, readModelInfo } from "./read-model-info.ts";
import { sizeIfThere } from "./size-if-there.ts";

export interface PullRepositoryOptions {
  /** Which of its files are wanted; a language model's by default. */
  readonly choice?: FileChoice | undefined;
  /** How often to ask for the model at all; once where a cached copy would do. */
  readonly tries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model in the cache. */
export interface PulledCommit {
  readonly commit: string;
  /** The snapshot: a folder in Hugging Face format. */
  readonly folder: string;
}

/** Questions about files are short; downloads share the line. */
const INSPECTIONS_AT_A_TIME = 8;
const DOWNLOADS_AT_A_TIME = 4;

/**
 * Asks the hub for a model's newest commit and downloads what the cache lacks of it: config, tokenizer and
 * weights. The branch's new commit is noted last, so that the cache never names one that is not whole.
 * @throws SepError `hub-unreachable`, `gated-model`, `model-not-found`, `revision-not-found`, `hub-file-missing`,
 *   `hub-token-refused`, `no-safetensors`, `download-damaged`, `disk-full`, `cache-not-writable`, `output-locked`
 */
export async function* pullRepository(
  hub: Hub,
  id: HubModelId,
  { choice = LANGUAGE_MODEL_FILES, tries, signal }: PullRepositoryOptions = {},
): AsyncGenerator<PullEvent, PulledCommit> {
  const { cacheFolder } = hub.settings;
  const cache = locateModelCache(cacheFolder, id.repo);
  const info = yield* readModelInfo(hub, id, { tries, signal });
  const chosen = chooseFiles(id, info.files, choice);
  try {
    yield* obtainFiles(hub, cache, id, info, chosen, signal);
    await noteAbsent(cache, info.commit, chosen.absent);
    await noteRevision(cache, id.revision, info.commit);
  } catch (error) {
    throw explainCacheError(error, cacheFolder, "another cache with HF_HOME or HF_HUB_CACHE");
  }
  return { commit: info.commit, folder: cache.snapshot(info.commit) };
}

async function* obtainFiles(
  hub: Hub,
  cache: ModelCache,
  id: HubModelId,
  { commit, files: known }: HubModelInfo,
  { files, sharded }: ChosenFiles,
  signal: AbortSignal | undefined,
): AsyncGenerator<PullEvent, void> {
  const folder = cache.snapshot(commit);
  let wanted = files;
  if (sharded) {
    // which shards there are stands in this file
    for (const source of yield* inspectMissing(hub, id, commit, folder, [SHARD_INDEX], signal)) {
      yield* obtainFile(hub, cache, source, signal);
    }
    const shards = await weightFileNames(folder);
    const lost = shards.find((name) => !known.includes(name));
    if (lost !== undefined) {
      throw new SepError(
        "hub-file-missing",
        `${id.repo} has no ${lost}, which its ${SHARD_INDEX} names. Is the upload complete? Tell its owners, or try an older "@revision".`,
      );
    }
    wanted = [...files, ...shards];
  }
  const sources = yield* inspectMissing(hub, id, commit, folder, wanted, signal);
  yield await planDownload(hub, cache, sources);
  yield* runConcurrently(sources, (source, abort) => obtainFile(hub, cache, source, abort), {
    concurrency: DOWNLOADS_AT_A_TIME,
    signal,
  });
}

/** What a snapshot holds is of its commit, and so it stays; the rest is looked up. */
async function* inspectMissing(
  hub: Hub,
  id: HubModelId,
  commit: string,
  folder: string,
  names: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<PullNote, HubFile[]> {
  const missing: string[] = [];
  for (const name of names) if ((await sizeIfThere(join(folder, name))) === null) missing.push(name);
  return yield* runConcurrently(missing, (name, abort) => inspectFile(hub, id, commit, name, abort), {
    concurrency: INSPECTIONS_AT_A_TIME,
    signal,
  });
}

/** Notes as Python does that a commit has no such file, so that nobody has to ask again. */
async function noteAbsent(cache: ModelCache, commit: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = cache.absent(commit, name);
    if ((await sizeIfThere(path)) !== null) continue;
    try {
      await makeFolder(dirname(path));
      await writeFile(path, "");
    } catch (error) {
      // a cache that others look after: the hub will be asked again, which is all that the note would save
      if (!["EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) throw error;
    }
  }
}

/** Which commit a branch or tag is. A cache that says so already may be one that cannot be written. */
async function noteRevision(cache: ModelCache, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await readRef(cache, revision)) === commit) return;
  await writeAtomic(cache.ref(revision), commit);
}
