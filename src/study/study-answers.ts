import { SepError } from "../errors.ts";
import { stableStringify } from "../formats/json.ts";
import { type LoadedRuns, readRuns } from "../samples/read-runs.ts";
import { openHiddenStates } from "../states/hidden-states.ts";
import { describeProblems } from "../store/jsonl.ts";
import { type ManifestWarning, readManifest } from "../store/manifest.ts";
import { manifestPathOf, nameWithin } from "../store/output-ownership.ts";
import { fileExists } from "../store/read-file.ts";
import { isInShard, type Shard } from "./shards/shard.ts";
import type { DataSetName, Workspace } from "./workspace.ts";

/**
 * Which answers: a question's K samples, from which its entropy is computed, or the one that counts as the model's own,
 * sampled at a low temperature; the papers train and evaluate probes on the latter.
 * @see Kossen et al. 2024, section 4
 */
export type AnswerRole = "samples" | "best";

/** Where the answers are. */
export const answersPath = (workspace: Workspace, set: DataSetName, role: AnswerRole = "samples"): string =>
  role === "best" ? workspace.bestRuns(set) : workspace.runs(set);

/** The part name of the step that samples a set's best answers. */
export const bestPart = (set: DataSetName): string => `${set} best`;

/**
 * The best answers of a study, if it has them.
 * @throws SepError `output-differs` if the samples beside them were generated differently
 */
export async function findBestAnswers(workspace: Workspace, set: DataSetName): Promise<string | null> {
  const path = workspace.bestRuns(set);
  if (!(await fileExists(path))) return null;
  const [best, samples] = await Promise.all(
    [path, workspace.runs(set)].map((output) => readManifest(manifestPathOf(output))),
  );
  // files of other tools do not say how they were made
  if (best == null || samples == null) return path;
  const differing = SHARED_SETTINGS.filter(
    (key) => stableStringify(best.settings[key] ?? null) !== stableStringify(samples.settings[key] ?? null),
  );
  if (differing.length === 0) return path;
  throw new SepError(
    "output-differs",
    `${nameWithin(workspace, path)} was not made with the settings of the samples beside it: ${differing.join(", ")} differ. Sample the best answers again with \`sep generate --best-answer --force\` and the samples' settings, or remove the file.`,
  );
}

/** What a question's best answer and its samples must have in common. */
const SHARED_SETTINGS = ["model", "prompt_format", "system_prompt", "enable_thinking"] as const;

/**
 * The answers that a trace will read, before they are there.
 * @param asked  as for the trace
 * @param isBestAsked whether best answers will be sampled
 */
export async function answersToTrace(
  workspace: Workspace,
  set: DataSetName,
  asked: "auto" | AnswerRole,
  isBestAsked: boolean,
): Promise<AnswerRole> {
  if (asked !== "auto") return asked;
  return isBestAsked || (await fileExists(workspace.bestRuns(set))) ? "best" : "samples";
}

/** The answers whose hidden states were read; the samples if there are none yet, or other tools made them. */
export async function tracedAnswersPath(workspace: Workspace, set: DataSetName): Promise<string> {
  const states = workspace.hiddenStates(set);
  if (!(await fileExists(states))) return workspace.runs(set);
  const { metadata } = await openHiddenStates(states);
  return answersPath(workspace, set, metadata.answers === "best" ? "best" : "samples");
}

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

/** What was left out when a runs file was read. */
export function warnOfBadRuns({
  problems,
  duplicates,
}: Pick<LoadedRuns, "problems" | "duplicates">): ManifestWarning[] {
  const left = (code: string, what: string, lines: typeof problems): ManifestWarning[] =>
    lines.length === 0
      ? []
      : [{ code, message: `${lines.length} ${what} were left out: ${describeProblems(lines)}` }];
  return [...left("bad-lines", "lines", problems), ...left("duplicate-runs", "repeated runs", duplicates)];
}
