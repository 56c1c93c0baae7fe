import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Json, stableStringify } from "../formats/json.ts";
import { errnoOf, explainCacheError, makeFolder } from "../store/file-error.ts";
import { readIfThere } from "../store/read-file.ts";
import { writeAtomic } from "../store/write-atomic.ts";
import { cacheFolder } from "./cache-folder.ts";

const ENDING = ".json";

/**
 * A small result that was kept in the cache.
 * @param kind folder of the cache
 * @returns null if there is none, or none that can be read: then it is made again
 */
export async function readCachedJson(kind: string, key: string): Promise<Json | null> {
  const text = await readIfThere(join(cacheFolder(kind), `${key}${ENDING}`));
  return text === null ? null : parseIfJson(text);
}

/**
 * Keeps a small result, in place of an earlier one. The file appears whole or not at all.
 * @throws SepError `cache-not-writable`
 */
export async function writeCachedJson(kind: string, key: string, value: Json): Promise<void> {
  const folder = cacheFolder(kind);
  try {
    await makeFolder(folder);
    await writeAtomic(join(folder, `${key}${ENDING}`), `${stableStringify(value, 2)}\n`);
  } catch (error) {
    throw explainCacheError(error, folder, "another folder with SEP_CACHE");
  }
}

/** All results of a kind that can be read, by their keys. */
export async function listCachedJson(kind: string): Promise<ReadonlyMap<string, Json>> {
  const names = await readdir(cacheFolder(kind)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  });
  const kept = new Map<string, Json>();
  for (const name of names.sort()) {
    if (!name.endsWith(ENDING)) continue;
    const key = name.slice(0, -ENDING.length);
    const value = await readCachedJson(kind, key);
    if (value !== null) kept.set(key, value);
  }
  return kept;
}

function parseIfJson(text: string): Json | null {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null; // damaged by something else than this program, which writes whole files; replaced by the next result
  }
}
