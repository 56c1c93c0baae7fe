import { type LoadedRuns, readRuns } from "../../samples/read-runs.ts";
import { isInShard, type Shard } from "./shard.ts";

/**
 * A runs file, of which only the shard's questions are kept.
 * @throws SepError `missing-input`
 */
export async function readShardRuns(
  path: string,
  shard: Shard | null,
  read: (path: string) => Promise<LoadedRuns> = readRuns,
): Promise<LoadedRuns> {
  const loaded = await read(path);
  return shard === null
    ? loaded
    : { ...loaded, runs: loaded.runs.filter(({ question_id }) => isInShard(question_id, shard)) };
}
