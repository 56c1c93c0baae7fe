import { join } from "node:path";
import { SepError } from "../../errors.ts";
import { listShortly, printableLine } from "../../text/shorten.ts";
import type { ChosenFiles } from "./choose-files.ts";
import { readRef } from "./find-cached-model.ts";
import type { Hub, PullEvent } from "./hub.ts";
import { locateModelCache, sizeIfThere } from "./hub-cache.ts";
import { type HubModelId, isCommitHash } from "./hub-model-id.ts";
import { pullRepository } from "./pull-repository.ts";

/** Rows of a data set on the hub. */
export interface HubSplit {
  /** `org/name` */
  readonly repo: string;
  readonly config: string;
  /** `train`, `validation`, `test`. */
  readonly split: string;
  /** A commit of the branch of Parquet files; the newest by default. */
  readonly revision?: string | undefined;
}

/** A split in the cache. */
interface FetchedSplit {
  readonly commit: string;
  /** Its Parquet files, in the order of their rows. */
  readonly paths: readonly string[];
}

/** The branch with every data set of the hub as Parquet, which the hub itself makes: `CONFIG/SPLIT/0000.parquet`. */
const PARQUET_BRANCH = "refs/convert/parquet";

/**
 * Finds a split in the cache, and downloads it if it is not there as a whole. A complete one is used without asking the hub.
 * @throws SepError `dataset-not-cached` in offline mode, `hub-file-missing` for a config or split that is not there, and as
 *   `pullRepository`
 * @see https://huggingface.co/docs/dataset-viewer/parquet
 */
export async function* fetchDataset(
  hub: Hub,
  wanted: HubSplit,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<PullEvent, FetchedSplit> {
  const { repo, revision = PARQUET_BRANCH } = wanted;
  const { cacheFolder, offline } = hub.settings;
  const id: HubModelId = { kind: "dataset", repo, revision };
  const cache = locateModelCache(cacheFolder, repo, id.kind);
  const known = isCommitHash(revision) ? revision : await readRef(cache, revision);
  const cached = known === null ? null : await listSplit(cacheFolder, wanted, known);
  if (cached !== null) return { commit: known!, paths: cached };
  if (offline)
    throw new SepError(
      "dataset-not-cached",
      `${describeSplit(wanted)} is not in ${cacheFolder}, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids asking the Hub. Unset it, or give a file with the questions.`,
    );
  let files: readonly string[] = [];
  const choose = (names: readonly string[]): ChosenFiles => {
    const chosen = chooseShards(hub, wanted, names);
    files = chosen.files;
    return chosen;
  };
  const { commit, folder } = yield* pullRepository(hub, id, { choose, signal });
  return { commit, paths: files.map((name) => join(folder, name)) };
}

/** `org/name, config rc.nocontext, split train` */
const describeSplit = ({ repo, config, split }: HubSplit): string =>
  `${repo}, config ${config}, split ${split}`;

const shardName = ({ config, split }: HubSplit, shard: number): string =>
  `${config}/${split}/${String(shard).padStart(4, "0")}.parquet`;

/** The name that the split's next shard would have is noted as absent, which tells a complete split from one cut short. */
function chooseShards({ settings }: Hub, wanted: HubSplit, names: readonly string[]): ChosenFiles {
  const there = new Set(names);
  const files: string[] = [];
  while (there.has(shardName(wanted, files.length))) files.push(shardName(wanted, files.length));
  if (files.length > 0) return { files, absent: [shardName(wanted, files.length)], sharded: false };
  const splits = names.flatMap((name) => /^(.+\/.+)\/0000\.parquet$/.exec(name)?.[1] ?? []);
  throw new SepError(
    "hub-file-missing",
    `${describeSplit(wanted)}: there is no such split as Parquet on ${settings.endpoint}, expected one of ${listShortly(splits.map((each) => printableLine(each))) || "none"} (config/split). Give one of these, or download the data set and give its file.`,
  );
}

/** @returns the shards of a complete split; null if one is missing */
async function listSplit(
  cacheFolder: string,
  wanted: HubSplit,
  commit: string,
): Promise<readonly string[] | null> {
  const cache = locateModelCache(cacheFolder, wanted.repo, "dataset");
  const paths: string[] = [];
  for (;;) {
    const name = shardName(wanted, paths.length);
    const path = join(cache.snapshot(commit), name);
    if ((await sizeIfThere(path)) !== null) paths.push(path);
    else return (await sizeIfThere(cache.absent(commit, name))) === null ? null : paths;
  }
}
