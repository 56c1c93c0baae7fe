import { buildDatasets } from "../../pipeline/build-datasets.ts";
import { type Command, defineCommand } from "../command.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { OUTPUT_OPTIONS, PROBE_INPUT_OPTIONS, SEED_OPTION } from "../step-options.ts";

/** Step 5: probe data sets. */
export const DATASET: Command = defineCommand({
  name: "dataset",
  summary: "step 5: split by question into artifacts/probe_datasets/",
  options: { ...PROBE_INPUT_OPTIONS, ...SEED_OPTION, ...OUTPUT_OPTIONS },
  examples: [
    { line: "sep dataset", meaning: "hidden states of the last layer at </think>" },
    { line: "sep dataset --position before-generation --layer 4", meaning: "another position and layer" },
  ],
  run(values, context) {
    const { position, layer, seed, force } = values;
    return runStepCommand(values, context, (workspace) =>
      oneStep(buildDatasets(workspace, { position, layer, seed, force })),
    );
  },
});
