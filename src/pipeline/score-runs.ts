import { basename, join, resolve } from "node:path";
import { RUNS_FORMATS } from "../sampling/import/detect-runs-format.ts";
import { extractAnswers } from "../sampling/import/extract-answers.ts";
import { importRuns } from "../sampling/import/import-runs.ts";
import { chooseEquivalence, type EquivalenceName } from "./choose-equivalence.ts";
import { describeEstimates, type EstimateOptions, measureQuestions } from "./measure-questions.ts";
import { runStep, type StepEvent, type StepResult } from "./step.ts";
import type { Workspace } from "./workspace.ts";

export interface ScoreRunsOptions extends EstimateOptions {
  /** See `chooseEquivalence`; here `auto` goes by what most answers in the file are. */
  readonly equivalence?: EquivalenceName | "auto" | undefined;
  /** Where the entropies go; `data/{name}_semantic_entropy.jsonl` when not given. */
  readonly output?: string | undefined;
  readonly force?: boolean | undefined;
}

/**
 * The entropies of samples that were drawn elsewhere, by this package or another tool; `importRuns` says which files
 * it reads. They are what `computeEntropy` writes, with null for what the file does not allow.
 * @throws SepError `unknown-runs-format`; `too-few-questions` if no question has two samples; and as `runStep`
 */
export async function* scoreRuns(
  workspace: Workspace,
  path: string,
  { equivalence: asked = "auto", output, force = false, ...options }: ScoreRunsOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const name = nameOf(path);
  const target = output ?? join(workspace.root, "data", `${name}_semantic_entropy.jsonl`);
  const definition = {
    step: "entropy",
    part: name,
    inputs: [resolve(path)],
    outputs: [resolve(target)],
    settings: { equivalence: asked, ...describeEstimates(options) },
    whenStale: "redo",
  } as const;
  return yield* runStep(workspace, definition, { force }, async function* () {
    const { format, questions: imported, problems, duplicates } = await importRuns(path);
    const { questions, kind } = extractAnswers(imported);
    const equivalence = chooseEquivalence(asked, [kind]);
    const message = `${path} holds ${RUNS_FORMATS[format]}; answers are compared by "${equivalence.name}"`;
    yield { kind: "note", step: "entropy", part: name, message };
    const input = { path, questions, problems, duplicates };
    return yield* measureQuestions(input, equivalence, { ...options, part: name, output: resolve(target) });
  });
}

/** "data/math_runs.jsonl" -> "math" */
const nameOf = (path: string): string =>
  basename(path)
    .replace(/\.[^.]+$/, "")
    .replace(/_runs$/, "") || "imported";
