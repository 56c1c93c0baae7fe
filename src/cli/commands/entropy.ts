import { openModel } from "../../backends/local/open-model.ts";
import type { PTrueShot } from "../../entropy/p-true.ts";
import { SepError } from "../../errors.ts";
import { type ComputeEntropyOptions, computeEntropy } from "../../study/entropy/compute-entropy.ts";
import { readPTrueShots } from "../../study/entropy/read-p-true-shots.ts";
import { scoreRuns } from "../../study/entropy/score-runs.ts";
import { createMeaningModels } from "../../study/meaning/meaning-models.ts";
import type { Workspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { ESTIMATE_OPTIONS, IMPORT_OPTIONS, P_TRUE_OPTIONS } from "../estimate-options.ts";
import { MEANING_OPTIONS, readMeaningChoice } from "../meaning-options.ts";
import { type OptionSpec, type OptionValues, text } from "../option-spec.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import { SHARD_OPTION, shardOrStudyRuns } from "../shard-option.ts";
import { MODEL_OPTIONS, OUTPUT_OPTIONS, SET_OPTION } from "../step-options.ts";

const CLUSTERS_OPTION: { readonly clusters: OptionSpec<string | undefined> } = {
  clusters: text(
    "FILE",
    undefined,
    "Clusters to take in place of an equivalence, such as an edited copy of this step's output; needs --set.",
  ),
};

const OPTIONS = {
  ...MEANING_OPTIONS,
  ...CLUSTERS_OPTION,
  ...ESTIMATE_OPTIONS,
  ...P_TRUE_OPTIONS,
  ...IMPORT_OPTIONS,
  threads: MODEL_OPTIONS.threads,
  ...SET_OPTION,
  ...SHARD_OPTION,
  ...OUTPUT_OPTIONS,
};

/** Step 3: semantic entropies. */
export const ENTROPY: Command = defineCommand({
  name: "entropy",
  summary: "step 3: group answers by meaning, data/{math,ood}_semantic_entropy.jsonl",
  options: OPTIONS,
  examples: [
    { line: "sep entropy", meaning: "answers equal as mathematics are one meaning; open answers: hybrid" },
    {
      line: "sep entropy --equivalence exact --set math",
      meaning: "only the same words are the same meaning",
    },
    {
      line: "sep entropy --equivalence judge --judge-model Qwen/Qwen3-0.6B",
      meaning: "a language model says what means the same",
    },
    {
      line: "sep entropy --set math --clusters edited.jsonl",
      meaning: "entropies of clusters that were corrected by hand",
    },
    { line: "sep entropy --estimates all", meaning: "every estimate of uncertainty, and what each takes" },
    {
      line: "sep entropy --runs samples.jsonl --to scores.jsonl",
      meaning: "samples that another tool drew",
    },
  ],
  run(values, context) {
    checkOptions(values);
    return runStepCommand(values, context, (workspace) => runEntropy(workspace, values, context));
  },
});

function checkOptions({ clusters, runs, to, set, shard }: OptionValues<typeof OPTIONS>): void {
  if (clusters !== undefined && runs === undefined && set === "both")
    throw new SepError(
      "bad-option",
      "Got --clusters for both question sets, and a file has the clusters of one. Say which with --set math or --set ood.",
    );
  if (clusters !== undefined && shard !== null)
    throw new SepError("bad-option", "Got --clusters and --shard, and a clusters file has all questions.");
  if (runs === undefined && to !== undefined)
    throw new SepError("bad-option", "--to names where the scores of --runs go, and there is no --runs.");
  const other =
    clusters !== undefined ? "--clusters" : set !== "both" ? "--set" : shard !== null ? "--shard" : null;
  if (runs !== undefined && other !== null)
    throw new SepError("bad-option", `Got --runs and ${other}, which is about a study's own runs.`);
}

const readShots = async (values: OptionValues<typeof OPTIONS>): Promise<PTrueShot[] | undefined> =>
  values["p-true-shots"] === undefined
    ? undefined
    : readPTrueShots(values["p-true-shots"], { count: values["p-true-shot-count"] });

async function* runEntropy(
  study: Workspace,
  values: OptionValues<typeof OPTIONS>,
  { env, now, signal }: CliContext,
): Steps {
  const workspace = await shardOrStudyRuns(study, values.shard);
  const { clusters, estimates, force, runs, set: choice, threads, to } = values;
  const reference = values["p-true-model"];
  await using pTrueModel =
    reference === undefined ? null : yield* openModel(reference, { threads, hub: { env }, signal });
  const options: ComputeEntropyOptions = {
    ...readMeaningChoice(values),
    estimates,
    seMode: values["se-mode"],
    pTrueModel: pTrueModel ?? undefined,
    pTrueShots: await readShots(values),
    models: createMeaningModels({ hub: { env }, threads }),
    now,
    force,
    signal,
  };
  if (runs !== undefined) return [yield* scoreRuns(workspace, runs, { ...options, output: to })];
  return yield* eachSet("entropy", choice, workspace.runs, (set) =>
    computeEntropy(workspace, set, { ...options, clustersFile: clusters }),
  );
}
