import { computeEntropy } from "../../pipeline/compute-entropy.ts";
import { type Command, defineCommand } from "../command.ts";
import { eachSet, runStepCommand } from "../run-steps.ts";
import { EQUIVALENCE_OPTION, OUTPUT_OPTIONS, SET_OPTION } from "../step-options.ts";

/** Step 3: semantic entropies. */
export const ENTROPY: Command = defineCommand({
  name: "entropy",
  summary: "step 3: group answers by meaning, data/{math,ood}_semantic_entropy.jsonl",
  options: { ...EQUIVALENCE_OPTION, ...SET_OPTION, ...OUTPUT_OPTIONS },
  examples: [
    { line: "sep entropy", meaning: "answers equal as mathematics are one meaning" },
    { line: "sep entropy --equivalence exact --set math", meaning: "only the same text is the same meaning" },
  ],
  run(values, context) {
    const { equivalence, force, set: choice } = values;
    return runStepCommand(values, context, (workspace) =>
      eachSet("entropy", choice, workspace.runs, (set) =>
        computeEntropy(workspace, set, { equivalence, force }),
      ),
    );
  },
});
