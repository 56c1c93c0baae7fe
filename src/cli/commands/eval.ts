import { evaluateProbes } from "../../study/probes/evaluate-probes.ts";
import { writeReport } from "../../study/report/write-report.ts";
import type { Workspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { EVALUATED_STEPS, printEvaluation } from "../print-evaluation.ts";
import { runSteps, type Steps } from "../run-steps.ts";
import { FIGURE_OPTIONS, OUTPUT_OPTIONS } from "../step-options.ts";
import { TARGET_OPTIONS } from "../training-options.ts";

/** Step 7: how good the probes are. */
export const EVAL: Command = defineCommand({
  name: "eval",
  summary: "step 7: score the probes, artifacts/models/probe_eval.json and artifacts/report.html",
  options: { ...TARGET_OPTIONS, ...FIGURE_OPTIONS, ...OUTPUT_OPTIONS },
  examples: [
    { line: "sep eval", meaning: "AUROCs with intervals and p-values, and the report" },
    {
      line: "sep eval --target-risk 0.05 --target-coverage 0.9",
      meaning: "also the thresholds that promise so much",
    },
    { line: "sep eval --out my-study --json", meaning: "the same for a script" },
  ],
  async run(values, context) {
    const { force, figures } = values;
    const { signal } = context;
    const options = {
      targetRisk: values["target-risk"],
      targetCoverage: values["target-coverage"],
      force,
      signal,
    };
    const steps = async function* (workspace: Workspace): Steps {
      const evaluated = yield* evaluateProbes(workspace, options);
      return [evaluated, yield* writeReport(workspace, { figures, force, signal })];
    };
    const results = await runSteps(values, context, steps, EVALUATED_STEPS);
    await printEvaluation(values, results, context);
    return EXIT.ok;
  },
});
