import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere } from "../../store/read-file.ts";
import type { HubSettings } from "./hub.ts";
import { locateModelCache, type ModelCache, repoOfFolder, sizeIfThere } from "./hub-cache.ts";

/** One commit of a model in the cache. */
export interface CachedCommit {
  /** `org/name` */
  readonly repo: string;
  readonly commit: string;
  /** Branches and tags that point to this commit. */
  readonly revisions: readonly string[];
  /** The snapshot. */
  readonly folder: string;
  /** Of all its files, those shared with other commits included. */
  readonly sizeBytes: number;
}

/**
 * Every model in the Hugging Face cache, sorted by name, whichever program downloaded it.
 * @returns [] if there is no cache
 */
export async function listCachedModels({ cacheFolder }: HubSettings): Promise<CachedCommit[]> {
  const commits: CachedCommit[] = [];
  for (const name of (await foldersIn(cacheFolder)).sort()) {
    const repo = repoOfFolder(name);
    if (repo === null) continue;
    const cache = locateModelCache(cacheFolder, repo);
    const refs = await readRefs(cache);
    for (const commit of (await foldersIn(join(cache.folder, "snapshots"))).sort()) {
      const folder = cache.snapshot(commit);
      const revisions = [...refs].filter(([, hash]) => hash === commit).map(([revision]) => revision);
      commits.push({ repo, commit, revisions: revisions.sort(), folder, sizeBytes: await sizeOf(folder) });
    }
  }
  return commits;
}

/** Branch or tag -> commit hash. A name with a slash is a file within a folder. */
async function readRefs({ folder }: ModelCache): Promise<ReadonlyMap<string, string>> {
  const root = join(folder, "refs");
  const refs = new Map<string, string>();
  for (const file of await filesBelow(root)) {
    const commit = await readIfThere(join(root, file));
    if (commit !== null) refs.set(file.replaceAll("\\", "/"), commit.trim());
  }
  return refs;
}

/** Bytes of the files below a folder, each content counted once. Dead links count nothing. */
async function sizeOf(folder: string): Promise<number> {
  const sizes = new Map<string, number>();
  for (const file of await filesBelow(folder)) {
    const path = join(folder, file);
    const sizeBytes = await sizeIfThere(path);
    if (sizeBytes !== null) sizes.set(await realpath(path), sizeBytes);
  }
  return [...sizes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
}

/** Relative paths of files and of links, since the files of a snapshot are links. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await listIfThere(() => readdir(folder, { recursive: true, withFileTypes: true }));
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await listIfThere(() => readdir(folder, { withFileTypes: true }));
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function listIfThere<Entry>(list: () => Promise<Entry[]>): Promise<Entry[]> {
  try {
    return await list();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}
