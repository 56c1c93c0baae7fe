import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SepError } from "../../errors.ts";
import { stableStringify } from "../../formats/json.ts";
import { fingerprintFile } from "../../store/fingerprint.ts";
import { type Manifest, readManifest, staleReasons } from "../../store/manifest.ts";
import { manifestPathOf, nameWithin } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import { listShortly } from "../../text/shorten.ts";
import { openShard, shardsFolder, type Workspace } from "../workspace.ts";
import { parseShardFolder, type Shard, shardFolder } from "./shard.ts";

/** The complete and unchanged outputs of one shard's step. */
export interface FinishedShard {
  readonly shard: Shard;
  readonly workspace: Workspace;
  readonly manifest: Manifest;
}

/**
 * The shards of a study, by index.
 * @throws SepError `missing-input` if there are none; `shards-differ` if their counts differ
 */
export async function findShards(root: string): Promise<readonly Workspace[]> {
  const folder = shardsFolder(root);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [] as string[];
    throw error;
  });
  const shards = names.flatMap((name) => parseShardFolder(name) ?? []).sort((a, b) => a.index - b.index);
  const counts = [...new Set(shards.map(({ count }) => count))].sort((a, b) => a - b);
  if (counts.length === 0)
    throw new SepError(
      "missing-input",
      `\`sep merge\` joins the shards below ${folder}, and there are none. Make them with --shard 1/N to N/N.`,
    );
  if (counts.length > 1)
    throw new SepError(
      "shards-differ",
      `${folder} has shards of ${counts.join(" and of ")}, so that questions occur in both. Move away the shards that do not belong.`,
    );
  return shards.map((shard) => openShard(root, shard));
}

/**
 * What a step wrote in each of all shards.
 * @param outputs of the step, the main one first
 * @returns null if no shard has it
 * @throws SepError `shards-missing` for missing or incomplete shards, `shards-differ` for ones that were made
 *   with other settings or from other inputs, or were edited since
 */
export async function collectShards(
  shards: readonly Workspace[],
  step: string,
  outputs: (workspace: Workspace) => readonly string[],
): Promise<readonly FinishedShard[] | null> {
  const { count } = shards[0]!.shard!;
  const finished: FinishedShard[] = [];
  for (const workspace of shards) {
    const manifest = await readManifest(manifestPathOf(outputs(workspace)[0]!));
    if (manifest !== null) finished.push({ shard: workspace.shard!, workspace, manifest });
  }
  if (finished.length === 0) return null;
  const there = new Set(finished.map(({ shard }) => shard.index));
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !there.has(index));
  if (missing.length > 0)
    throw new SepError(
      "shards-missing",
      `Of ${count} shards, ${missing.length} have not finished \`sep ${step}\`: ${listShortly(missing.map(String), { most: 10 })}. Run it with --shard ${missing[0]}/${count}, and so on.`,
    );
  for (const each of finished) await checkFiles(each, step);
  checkAlike(finished, step);
  return finished;
}

/** Checks that files are as the manifest records them, both inputs and outputs. */
async function checkFiles({ shard, workspace, manifest }: FinishedShard, step: string): Promise<void> {
  for (const [name, written] of Object.entries({ ...manifest.inputs, ...manifest.outputs })) {
    const path = join(workspace.root, name);
    if ((await fileExists(path)) && (await fingerprintFile(path)) === written) continue;
    throw new SepError(
      "shards-differ",
      `${name} is not what \`sep ${step}\` ${name in manifest.inputs ? "read" : "wrote"} in shard ${shard.index}/${shard.count}. Run it again with --shard ${shard.index}/${shard.count}.`,
    );
  }
}

/** A shard without questions has read nothing, and its resolved settings do not count. */
export const hasQuestions = ({ manifest }: FinishedShard): boolean => manifest.counts.questions !== 0;

function checkAlike(finished: readonly FinishedShard[], step: string): void {
  const [first, ...others] = finished.filter(hasQuestions);
  if (first === undefined) return;
  for (const other of others) {
    const reasons = staleReasons(
      { ...first.manifest, inputs: studyInputs(first) },
      { settings: other.manifest.settings, inputs: studyInputs(other) },
    );
    if (stableStringify(first.manifest.tool) !== stableStringify(other.manifest.tool))
      reasons.push(
        `the version was ${first.manifest.tool.version} and is now ${other.manifest.tool.version}`,
      );
    if (reasons.length === 0) continue;
    const { index, count } = other.shard;
    throw new SepError(
      "shards-differ",
      `Shard ${index}/${count} of \`sep ${step}\` was made differently from shard ${first.shard.index}/${count}: ${reasons.join("; ")}. Make all shards with the same options and files.`,
    );
  }
}

/** The inputs that all shards share; each shard's own inputs are checked separately. */
function studyInputs({ workspace, manifest }: FinishedShard): Record<string, string> {
  const own = ownPrefix(workspace);
  return Object.fromEntries(Object.entries(manifest.inputs).filter(([name]) => !name.startsWith(own)));
}

/** The name that a shard's file has in the study: `shards/2-of-8/data/x` is `data/x`. */
export const studyName = ({ workspace }: FinishedShard, name: string): string => {
  const own = ownPrefix(workspace);
  return name.startsWith(own) ? name.slice(own.length) : name;
};

const ownPrefix = (workspace: Workspace): string =>
  `${nameWithin(workspace, shardsFolder(workspace.root))}/${shardFolder(workspace.shard as Shard)}/`;
