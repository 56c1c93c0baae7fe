import { prepareQuestions } from "../../study/sampling/prepare-questions.ts";
import type { StepResult } from "../../study/step.ts";
import { STUDY_DEFAULTS } from "../../study/study-options.ts";
import type { Workspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { runStepCommand, type Steps } from "../run-steps.ts";
import { LIMIT_OPTION, OUTPUT_OPTIONS, QUESTION_OPTIONS } from "../step-options.ts";

const OPTIONS = { ...QUESTION_OPTIONS, ...LIMIT_OPTION, ...OUTPUT_OPTIONS };

/** Step 1: the question files. */
export const PREPARE: Command = defineCommand({
  name: "prepare",
  summary: "step 1: write the questions, data/{math,ood}_raw.jsonl",
  options: OPTIONS,
  examples: [
    {
      line: "sep prepare",
      meaning: "the built-in sets: arithmetic, and word problems as out-of-distribution",
    },
    { line: "sep prepare --dataset my-questions.jsonl --ood none", meaning: "your own questions" },
    { line: "sep prepare --limit 20", meaning: "the first 20 questions of each set" },
  ],
  run(values, context) {
    const { dataset = STUDY_DEFAULTS.dataset, ood = STUDY_DEFAULTS.ood, limit, force } = values;
    return runStepCommand(values, context, (workspace) =>
      prepareBoth(workspace, { dataset, ood, limit, force }),
    );
  },
});

interface PrepareBothOptions {
  readonly dataset: string;
  readonly ood: string;
  readonly limit: number | undefined;
  readonly force: boolean;
}

async function* prepareBoth(workspace: Workspace, { dataset, ood, limit, force }: PrepareBothOptions): Steps {
  const results: StepResult[] = [
    yield* prepareQuestions(workspace, "math", { source: dataset, limit, force }),
  ];
  if (ood !== "none") results.push(yield* prepareQuestions(workspace, "ood", { source: ood, limit, force }));
  return results;
}
