import { cacheFolder } from "../checkpoint/cache-folder.ts";
import { stableStringify } from "../formats/json.ts";
import { fingerprint } from "../store/fingerprint.ts";
import type { JudgeModel } from "./judge-model.ts";
import { openCacheLog } from "./open-cache-log.ts";

export interface CachedJudgeOptions {
  /** Where replies are kept; `judge-replies` in this tool's own cache by default. */
  readonly folder?: string | undefined;
}

/**
 * A judge that keeps each reply on disk as soon as it has it, one file for each provenance, and is asked nothing twice.
 * Any number of processes may use one folder.
 * @throws SepError from `complete`: `cache-not-writable`, `disk-full`, and the judge's own
 */
export async function createCachedJudge(
  judge: JudgeModel,
  { folder = cacheFolder("judge-replies") }: CachedJudgeOptions = {},
): Promise<JudgeModel> {
  const { name, provenance, concurrency } = judge;
  const log = openCacheLog(folder, fingerprint(stableStringify(provenance)));
  const known = new Map<string, string>();
  for (const row of await log.readNew()) if (isEntry(row)) known.set(...row);
  return {
    name,
    provenance,
    concurrency,
    async complete(prompt, options) {
      const key = fingerprint(JSON.stringify([prompt, options.labels]));
      const before = known.get(key);
      if (before !== undefined) return before;
      const reply = await judge.complete(prompt, options);
      await log.append([[key, reply]]);
      known.set(key, reply);
      return reply;
    },
  };
}

/** What this program did not write is asked anew. */
const isEntry = (row: unknown): row is [string, string] =>
  Array.isArray(row) && row.length === 2 && row.every((item) => typeof item === "string");
