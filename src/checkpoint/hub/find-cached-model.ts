import { join } from "node:path";
import { errnoOf } from "../../store/file-error.ts";
import { readIfThere } from "../../store/read-file.ts";
import { SHARD_INDEX, weightFileNames } from "../weight-index.ts";
import { type FileChoice, LANGUAGE_MODEL_FILES } from "./choose-files.ts";
import type { HubSettings } from "./hub.ts";
import { locateModelCache, type ModelCache, sizeIfThere } from "./hub-cache.ts";
import { type HubModelId, isCommitHash } from "./hub-model-id.ts";

/** What the cache has of a model. */
export interface CachedModel {
  readonly commit: string;
  /** The snapshot: a folder in Hugging Face format. */
  readonly folder: string;
  /** Needed files that are missing, weights included. */
  readonly missing: readonly string[];
  /** Optional files that are missing, although the commit may have them. */
  readonly unknown: readonly string[];
}

/**
 * Looks a model up in the cache, without asking the hub.
 * @returns null if the cache does not know the revision or has no file of it
 * @throws SepError `bad-checkpoint` if the cached list of shards is damaged
 */
export async function findCachedModel(
  { cacheFolder }: HubSettings,
  { repo, revision }: HubModelId,
  choice: FileChoice = LANGUAGE_MODEL_FILES,
): Promise<CachedModel | null> {
  const cache = locateModelCache(cacheFolder, repo);
  const commit = isCommitHash(revision) ? revision : await readRef(cache, revision);
  return commit === null ? null : inspectSnapshot(cache, commit, choice);
}

/** What the cache has of one commit. @returns null if there is nothing */
async function inspectSnapshot(
  cache: ModelCache,
  commit: string,
  { required, optional, weights }: FileChoice,
): Promise<CachedModel | null> {
  const folder = cache.snapshot(commit);
  if ((await sizeIfThere(folder)) === null) return null;
  const isThere = async (name: string): Promise<boolean> => (await sizeIfThere(join(folder, name))) !== null;
  const missing: string[] = [];
  for (const name of [...required, ...(await findWeights(folder, weights, isThere))]) {
    if (!(await isThere(name))) missing.push(name);
  }
  const listed = await readTree(cache, commit);
  const unknown: string[] = [];
  for (const name of optional) {
    const isKnownAbsent =
      (await sizeIfThere(cache.absent(commit, name))) !== null || (listed !== null && !listed.has(name));
    if (!isKnownAbsent && !(await isThere(name))) unknown.push(name);
  }
  return { commit, folder, missing, unknown };
}

/** The weight files of a complete snapshot: of the first kind that it has, else of the preferred kind. */
async function findWeights(
  folder: string,
  weights: readonly string[],
  isThere: (name: string) => Promise<boolean>,
): Promise<readonly string[]> {
  for (const name of weights) {
    if (await isThere(name)) return name === SHARD_INDEX ? weightFileNames(folder) : [name];
  }
  return weights.slice(0, 1);
}

/** The commit hash that the cache has for a branch or tag; null if it has none. */
export async function readRef(cache: ModelCache, revision: string): Promise<string | null> {
  try {
    const commit = (await readIfThere(cache.ref(revision)))?.trim() ?? "";
    return isCommitHash(commit) ? commit : null;
  } catch (error) {
    // a branch "a" is a file where "a/b" has a folder, and the other way round
    if (["ENOTDIR", "EISDIR"].includes(errnoOf(error) ?? "")) return null;
    throw error;
  }
}

/** The files of a commit, if Python's huggingface_hub (2 or newer) has noted them. Other formats say nothing. */
async function readTree(cache: ModelCache, commit: string): Promise<ReadonlySet<string> | null> {
  const text = await readIfThere(cache.tree(commit));
  if (text === null) return null;
  try {
    const { format_version, files } = JSON.parse(text) as Record<string, unknown>;
    return format_version === 1 ? new Set(Object.keys(files as object)) : null;
  } catch (error) {
    // cut short by another program: as good as none
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
