import { trainProbes } from "../../study/probes/train-probes.ts";
import { type Command, defineCommand } from "../command.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { OUTPUT_OPTIONS, SEED_OPTION } from "../step-options.ts";
import { TARGET_OPTIONS, TRAINING_OPTIONS, TRAINING_POSITIONS_OPTION } from "../training-options.ts";

/** Step 6: the probes. */
export const TRAIN: Command = defineCommand({
  name: "train",
  summary: "step 6: fit the probes, artifacts/models/",
  options: {
    ...TRAINING_OPTIONS,
    ...TRAINING_POSITIONS_OPTION,
    ...TARGET_OPTIONS,
    ...SEED_OPTION,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    { line: "sep train", meaning: "the split of semantic entropies that separates best is the threshold" },
    { line: "sep train --se-threshold median", meaning: "half of the training answers count as uncertain" },
    {
      line: "sep train --window 5 --positions all --nested",
      meaning: "five layers side by side, at the best position; and what all that choosing is worth",
    },
  ],
  run(values, context) {
    return runStepCommand(values, context, (workspace) =>
      oneStep(
        trainProbes(workspace, {
          seThreshold: values["se-threshold"],
          kind: values.probe,
          layer: values.layer,
          window: values.window,
          positions: values.positions,
          C: values.c,
          classWeight: values["class-weight"],
          nested: values.nested,
          permutations: values.permutations,
          targetRisk: values["target-risk"],
          targetCoverage: values["target-coverage"],
          seed: values.seed,
          force: values.force,
          signal: context.signal,
        }),
      ),
    );
  },
});
