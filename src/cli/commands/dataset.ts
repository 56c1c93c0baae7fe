import { buildDatasets } from "../../study/probes/build-datasets.ts";
import { type Command, defineCommand } from "../command.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { EXPORT_OPTIONS, OUTPUT_OPTIONS, POSITION_OPTIONS, SEED_OPTION } from "../step-options.ts";

/** Step 5: probe data sets. */
export const DATASET: Command = defineCommand({
  name: "dataset",
  summary: "step 5: split by question into artifacts/probe_datasets/",
  options: { ...POSITION_OPTIONS, ...EXPORT_OPTIONS, ...SEED_OPTION, ...OUTPUT_OPTIONS },
  examples: [
    { line: "sep dataset", meaning: "hidden states at </think>" },
    { line: "sep dataset --position before-generation", meaning: "what the model knows before it answers" },
  ],
  run(values, context) {
    const { position, layer, seed, force, "missing-position": missingPosition } = values;
    return runStepCommand(values, context, (workspace) =>
      oneStep(
        buildDatasets(workspace, { position, layer, missingPosition, seed, force, signal: context.signal }),
      ),
    );
  },
});
