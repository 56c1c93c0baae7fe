import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { type Json, stableStringify } from "../../formats/json.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { writeStored } from "../storage-folder.ts";

/**
 * A result that outlives the kernel: kept on disk under its name, and used again as long as the code that makes
 * it and `deps` are the same. Anything that can be cloned between threads can be kept.
 * @param codeVersion of the cell and of everything above it
 */
export async function cacheOnDisk<Result>(
  folder: string,
  codeVersion: string,
  name: string,
  deps: unknown,
  make: () => Promise<Result> | Result,
): Promise<Result> {
  const key = fingerprint(`${JSON.stringify([codeVersion, name])}${stableStringify(deps as Json)}`);
  const path = join(folder, `${name.replace(/[^\w-]+/g, "_").slice(0, 60)}-${key.slice(0, 24)}.bin`);
  const kept = await readFile(path).catch(nothingThere);
  if (kept !== null) return deserialize(kept) as Result;
  const result = await make();
  await writeStored(path, serialize(result));
  return result;
}

function nothingThere(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
