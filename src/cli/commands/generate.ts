import { loadModel } from "../../models/load-model.ts";
import { generateRuns } from "../../pipeline/generate-runs.ts";
import { resolveSampler } from "../../pipeline/study-defaults.ts";
import type { Workspace } from "../../pipeline/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { readSampler } from "../model-values.ts";
import type { OptionValues } from "../option-spec.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import {
  LIMIT_OPTION,
  MODEL_OPTIONS,
  OUTPUT_OPTIONS,
  SAMPLING_OPTIONS,
  SEED_OPTION,
  SET_OPTION,
} from "../step-options.ts";

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
    return runStepCommand(values, context, (workspace) => generateSets(workspace, values, context.signal));
  },
});

async function* generateSets(
  workspace: Workspace,
  values: OptionValues<typeof OPTIONS>,
  signal: AbortSignal,
): Steps {
  await using model = await loadModel(values.model, { threads: values.threads });
  return yield* eachSet("generate", values.set, workspace.raw, (set) =>
    generateRuns(workspace, set, {
      model,
      promptFormat: values["prompt-format"],
      systemPrompt: values["system-prompt"],
      enableThinking: values["no-thinking"] ? false : undefined,
      runs: values.runs,
      limit: values.limit,
      sampler: resolveSampler(values.model, readSampler(values)),
      seed: values.seed,
      signal,
      force: values.force,
    }),
  );
}
