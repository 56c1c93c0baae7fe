import { trainProbes } from "../../pipeline/train-probes.ts";
import { type Command, defineCommand } from "../command.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { OUTPUT_OPTIONS, SEED_OPTION, TRAINING_OPTIONS } from "../step-options.ts";

/** Step 6: the probes. */
export const TRAIN: Command = defineCommand({
  name: "train",
  summary: "step 6: fit the probes, artifacts/models/",
  options: { ...TRAINING_OPTIONS, ...SEED_OPTION, ...OUTPUT_OPTIONS },
  examples: [
    { line: "sep train", meaning: "the split of semantic entropies that separates best is the threshold" },
    { line: "sep train --se-threshold median", meaning: "half of the training answers count as uncertain" },
  ],
  run(values, context) {
    const { "se-threshold": seThreshold, layer, c: C, "class-weight": classWeight, seed, force } = values;
    const { signal } = context;
    return runStepCommand(values, context, (workspace) =>
      oneStep(trainProbes(workspace, { seThreshold, layer, C, classWeight, seed, force, signal })),
    );
  },
});
