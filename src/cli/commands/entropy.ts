import { openModel } from "../../checkpoint/load-model.ts";
import type { PTrueShot } from "../../entropy/state-measures.ts";
import { SepError } from "../../errors.ts";
import { type ComputeEntropyOptions, computeEntropy } from "../../study/entropy/compute-entropy.ts";
import { readPTrueShots } from "../../study/entropy/read-p-true-shots.ts";
import { scoreRuns } from "../../study/entropy/score-runs.ts";
import { createMeaningModels } from "../../study/meaning/meaning-models.ts";
import { ENGINE } from "../../study/settings/backends.ts";
import { ESTIMATE_SETTINGS, MEANING, P_TRUE } from "../../study/settings/meaning.ts";
import { type SettingsOutput, text } from "../../study/settings/setting.ts";
import type { Workspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { CONFIG, OUTPUT, SET, SHARD, shardOrStudyRuns } from "../common-settings.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";

const OPTIONS = {
  ...MEANING,
  clusters: text(
    "FILE",
    "File of clusters to use instead of --equivalence, such as an edited copy of this step's output; needs --set; docs/clusters.md.",
  ),
  ...ESTIMATE_SETTINGS,
  ...P_TRUE,
  runs: text(
    "FILE",
    "File of samples from another tool, in one of the formats of docs/import.md, to use instead of the study's.",
  ),
  to: text("FILE", "Output file for the scores of --runs.", "data/NAME_semantic_entropy.jsonl"),
  threads: ENGINE.threads,
  ...SET,
  ...SHARD,
  ...CONFIG,
  ...OUTPUT,
};

/** Step 3: semantic entropies. */
export const ENTROPY: Command = defineCommand({
  name: "entropy",
  summary: "step 3: cluster answers by meaning, data/{math,ood}_semantic_entropy.jsonl",
  options: OPTIONS,
  examples: [
    {
      line: "sep entropy",
      meaning: "answers that are equal as mathematics mean the same; for open answers, hybrid decides",
    },
    {
      line: "sep entropy --equivalence exact --set math",
      meaning: "answers mean the same only if their words are the same",
    },
    {
      line: "sep entropy --equivalence judge --judge-model Qwen/Qwen3-0.6B",
      meaning: "a language model decides which answers mean the same",
    },
    {
      line: "sep entropy --set math --clusters edited.jsonl",
      meaning: "entropies from clusters that were corrected by hand",
    },
    { line: "sep entropy --estimates all", meaning: "every uncertainty measure, and what each one costs" },
    {
      line: "sep entropy --runs samples.jsonl --to scores.jsonl",
      meaning: "score samples from another tool",
    },
  ],
  run(values, context) {
    checkOptions(values);
    return runStepCommand(values, context, (workspace) => runEntropy(workspace, values, context));
  },
});

function checkOptions({ clusters, runs, to, set, shard }: SettingsOutput<typeof OPTIONS>): void {
  if (clusters !== undefined && runs === undefined && set === "both")
    throw new SepError(
      "bad-option",
      "Got --clusters for both question sets, but a file has the clusters of one set. Choose it with --set math or --set ood.",
    );
  if (clusters !== undefined && shard !== undefined)
    throw new SepError(
      "bad-option",
      "Got --clusters with --shard, but a clusters file covers all questions. Leave out one of them.",
    );
  if (runs === undefined && to !== undefined)
    throw new SepError(
      "bad-option",
      "Got --to without --runs, expected both: --to is the output file for the scores of --runs.",
    );
  const other =
    clusters !== undefined ? "--clusters" : set !== "both" ? "--set" : shard !== undefined ? "--shard" : null;
  if (runs !== undefined && other !== null)
    throw new SepError(
      "bad-option",
      `Got --runs with ${other}, which applies only to a study's own runs. Leave out one of them.`,
    );
}

const readShots = async (values: SettingsOutput<typeof OPTIONS>): Promise<PTrueShot[] | undefined> =>
  values.pTrueShots === undefined
    ? undefined
    : readPTrueShots(values.pTrueShots, { count: values.pTrueShotCount });

async function* runEntropy(
  study: Workspace,
  values: SettingsOutput<typeof OPTIONS>,
  { env, now, signal }: CliContext,
): Steps {
  const workspace = await shardOrStudyRuns(study, values.shard);
  const { clusters, pTrueModel: reference, runs, set: choice, threads, to } = values;
  await using pTrueModel =
    reference === undefined ? null : yield* openModel(reference, { threads, hub: { env }, signal });
  const options: ComputeEntropyOptions = {
    ...values,
    pTrueModel: pTrueModel ?? undefined,
    pTrueShots: await readShots(values),
    models: createMeaningModels({ hub: { env }, threads }),
    now,
    signal,
  };
  if (runs !== undefined) return [yield* scoreRuns(workspace, runs, { ...options, output: to })];
  return yield* eachSet("entropy", choice, workspace.runs, (set) =>
    computeEntropy(workspace, set, { ...options, clustersFile: clusters }),
  );
}
