import { SepError } from "../../errors.ts";
import { computeEntropy } from "../../pipeline/compute-entropy.ts";
import { scoreRuns } from "../../pipeline/score-runs.ts";
import { type Command, defineCommand } from "../command.ts";
import { ESTIMATE_OPTIONS, IMPORT_OPTIONS } from "../estimate-options.ts";
import { eachSet, oneStep, runStepCommand } from "../run-steps.ts";
import { EQUIVALENCE_OPTION, OUTPUT_OPTIONS, SET_OPTION } from "../step-options.ts";

/** Step 3: semantic entropies. */
export const ENTROPY: Command = defineCommand({
  name: "entropy",
  summary: "step 3: group answers by meaning, data/{math,ood}_semantic_entropy.jsonl",
  options: {
    ...EQUIVALENCE_OPTION,
    ...ESTIMATE_OPTIONS,
    ...IMPORT_OPTIONS,
    ...SET_OPTION,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    { line: "sep entropy", meaning: "answers equal as mathematics are one meaning" },
    { line: "sep entropy --equivalence exact --set math", meaning: "only the same text is the same meaning" },
    { line: "sep entropy --estimates all", meaning: "every estimate of uncertainty, and what each takes" },
    {
      line: "sep entropy --runs samples.jsonl --to scores.jsonl",
      meaning: "samples that another tool drew",
    },
  ],
  run(values, context) {
    const { equivalence, estimates, runs, to, force, set: choice, "se-mode": seMode } = values;
    const options = { equivalence, estimates, seMode, now: context.now, force };
    if (runs === undefined && to !== undefined)
      throw new SepError("bad-option", "--to names where the scores of --runs go, and there is no --runs.");
    if (runs !== undefined && choice !== "both")
      throw new SepError("bad-option", `Got --runs ${runs} and --set ${choice}; give one of them.`);
    return runStepCommand(values, context, (workspace) =>
      runs === undefined
        ? eachSet("entropy", choice, workspace.runs, (set) => computeEntropy(workspace, set, options))
        : oneStep(scoreRuns(workspace, runs, { ...options, output: to })),
    );
  },
});
