import { SepError } from "../../errors.ts";
import { computeEntropy } from "../../pipeline/compute-entropy.ts";
import { createMeaningModels } from "../../pipeline/meaning-models.ts";
import { type Command, defineCommand } from "../command.ts";
import { MEANING_OPTIONS, readMeaningChoice } from "../meaning-options.ts";
import { type OptionSpec, text } from "../option-spec.ts";
import { eachSet, runStepCommand } from "../run-steps.ts";
import { MODEL_OPTIONS, OUTPUT_OPTIONS, SET_OPTION } from "../step-options.ts";

const CLUSTERS_OPTION: { readonly clusters: OptionSpec<string | undefined> } = {
  clusters: text(
    "FILE",
    undefined,
    "Clusters to take in place of an equivalence, such as an edited copy of this step's output; needs --set.",
  ),
};

/** Step 3: semantic entropies. */
export const ENTROPY: Command = defineCommand({
  name: "entropy",
  summary: "step 3: group answers by meaning, data/{math,ood}_semantic_entropy.jsonl",
  options: {
    ...MEANING_OPTIONS,
    ...CLUSTERS_OPTION,
    threads: MODEL_OPTIONS.threads,
    ...SET_OPTION,
    ...OUTPUT_OPTIONS,
  },
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
  ],
  run(values, context) {
    const { clusters, force, set: choice, threads } = values;
    const { env, signal } = context;
    if (clusters !== undefined && choice === "both")
      throw new SepError(
        "bad-option",
        "Got --clusters for both question sets, and a file has the clusters of one. Say which with --set math or --set ood.",
      );
    const models = createMeaningModels({ hub: { env }, threads });
    return runStepCommand(values, context, (workspace) =>
      eachSet("entropy", choice, workspace.runs, (set) =>
        computeEntropy(workspace, set, {
          ...readMeaningChoice(values),
          clustersFile: clusters,
          models,
          force,
          signal,
        }),
      ),
    );
  },
});
