import { generateRuns } from "../../pipeline/generate-runs.ts";
import { openModel } from "../../pipeline/open-model.ts";
import { resolveSampler } from "../../pipeline/resolve-sampler.ts";
import type { Workspace } from "../../pipeline/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { readModelChoices } from "../model-values.ts";
import type { OptionValues } from "../option-spec.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import { SAMPLING_OPTIONS } from "../sampling-options.ts";
import { readSamplingChoices } from "../sampling-values.ts";
import { LIMIT_OPTION, MODEL_OPTIONS, OUTPUT_OPTIONS, SEED_OPTION, SET_OPTION } from "../step-options.ts";

const OPTIONS = {
  ...LIMIT_OPTION,
  ...MODEL_OPTIONS,
  ...SAMPLING_OPTIONS,
  ...SEED_OPTION,
  ...SET_OPTION,
  ...OUTPUT_OPTIONS,
};

/** Step 2: answers to each question. */
export const GENERATE: Command = defineCommand({
  name: "generate",
  summary: "step 2: draw answers to each question, data/{math,ood}_runs.jsonl",
  options: OPTIONS,
  examples: [
    { line: "sep generate", meaning: "ten answers a question from the embedded model" },
    {
      line: "sep generate --model ./Qwen3-0.6B --runs 3 --limit 5 --temperature 0.7 --max-new-tokens 512",
      meaning: "three answers to five questions from a checkpoint on disk",
    },
    { line: "sep generate --set ood --seed 7", meaning: "the out-of-distribution questions only" },
  ],
  run(values, context) {
    return runStepCommand(values, context, (workspace) => generateSets(workspace, values, context));
  },
});

async function* generateSets(
  workspace: Workspace,
  values: OptionValues<typeof OPTIONS>,
  { signal, env }: CliContext,
): Steps {
  const { sampler: chosen, samplerPreset, ...choices } = await readSamplingChoices(values);
  await using model = yield* openModel(values.model, {
    ...readModelChoices(values),
    hub: { env },
    signal,
  });
  const { settings, sources } = resolveSampler(model, chosen, samplerPreset);
  return yield* eachSet("generate", values.set, workspace.raw, (set) =>
    generateRuns(workspace, set, {
      model,
      ...choices,
      limit: values.limit,
      sampler: settings,
      samplerSources: sources,
      seed: values.seed,
      signal,
      force: values.force,
    }),
  );
}
