import { parseShard, type Shard } from "../study/shards/shard.ts";
import { openShard, type Workspace, withStudyRuns } from "../study/workspace.ts";
import type { OptionSpec } from "./option-spec.ts";

/** Which part of the questions a step works on. */
export const SHARD_OPTION: { readonly shard: OptionSpec<Shard | null> } = {
  shard: {
    takesValue: true,
    placeholder: "I/N",
    help: "Work on part I of N of the questions, below shards/I-of-N/; `sep merge` joins them; docs/scale.md.",
    defaultText: "all of them",
    initial: null,
    expected: "I/N with I from 1 to N, such as 2/8",
    parse: (given) => readShard(given.at(-1) as string),
  },
};

function readShard(text: string): Shard | undefined {
  try {
    return parseShard(text);
  } catch {
    return undefined; // the option's own error says what is expected
  }
}

/** Where a step that writes runs works. */
export const shardWorkspace = (study: Workspace, shard: Shard | null): Workspace =>
  shard === null ? study : openShard(study.root, shard);

/** Where a step that reads runs works. */
export const shardOrStudyRuns = (study: Workspace, shard: Shard | null): Promise<Workspace> =>
  withStudyRuns(shardWorkspace(study, shard));
