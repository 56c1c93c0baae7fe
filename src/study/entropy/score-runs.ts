import { basename, join, resolve } from "node:path";
import { SepError } from "../../errors.ts";
import { extractAnswers } from "../../samples/grade-answer.ts";
import { importRuns } from "../../samples/import/import-runs.ts";
import { RUNS_FORMATS } from "../../samples/import/runs-formats.ts";
import { describeProblems, writeJsonl } from "../../store/jsonl.ts";
import { requireInput, type StepDefinition } from "../decide-step.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { openClusterer } from "../meaning/open-clusterer.ts";
import { checkMeaningChoice, type MeaningChoice } from "../meaning/open-equivalence.ts";
import { runStep, type StepEvent, type StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";
import { describeEstimates, type EstimateOptions } from "./estimate-options.ts";
import { type MeasuredQuestions, measureQuestions } from "./measure-questions.ts";

export interface ScoreRunsOptions extends MeaningChoice, EstimateOptions {
  /** Where the entropies go; `data/{name}_semantic_entropy.jsonl` when not given. */
  readonly output?: string | undefined;
  /** As `computeEntropy` has it. */
  readonly models?: MeaningModels | undefined;
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The entropies of samples of another study or another tool; `importRuns` says which files
 * it reads. They are what `computeEntropy` writes, with null for what the file does not allow. The equivalence `auto`
 * goes by what most of the answers are.
 * @throws SepError `unknown-runs-format`; `too-few-questions` if no question has two samples; those of `openClusterer`;
 *   and as `runStep`
 */
export async function* scoreRuns(
  workspace: Workspace,
  path: string,
  { output, models = createMeaningModels(), force = false, signal, ...choice }: ScoreRunsOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  checkMeaningChoice(choice);
  const estimates = describeEstimates(choice);
  await requireInput(path, "entropy");
  const part = nameOf(path);
  const target = resolve(output ?? join(workspace.root, "data", `${part}_semantic_entropy.jsonl`));
  const { format, ...imported } = await importRuns(path);
  const { questions, kind } = extractAnswers(imported.questions);
  const measured = withTwoSamples(path, { ...imported, questions });
  const questionIds = new Set(measured.questions.map(({ id }) => id));
  await using clusterer = yield* openClusterer(
    { questions: measured.questions, questionIds, rules: [kind] },
    { ...choice, models, signal },
  );
  const definition: StepDefinition = {
    step: "entropy",
    part,
    inputs: [resolve(path)],
    outputs: [target],
    settings: { ...clusterer.settings, ...estimates },
    whenStale: "redo",
  };
  const message = `${path} contains ${RUNS_FORMATS[format]}; answers are compared by "${clusterer.name}"`;
  yield { kind: "note", step: "entropy", part, message };
  return yield* runStep(workspace, definition, { force }, () =>
    measureQuestions(measured, {
      ...choice,
      part,
      clusterer,
      choice,
      models,
      signal,
      write: (records) => writeJsonl(target, records),
    }),
  );
}

/** "data/math_runs.jsonl" -> "math" */
const nameOf = (path: string): string =>
  basename(path)
    .replace(/\.[^.]+$/, "")
    .replace(/_runs$/, "") || "imported";

function withTwoSamples(
  path: string,
  { questions, problems, duplicates }: Omit<MeasuredQuestions, "tooFewSamples">,
): MeasuredQuestions {
  const enough = questions.filter(({ runIds }) => runIds.length >= 2);
  const tooFewSamples = questions.length - enough.length;
  if (enough.length > 0) return { questions: enough, tooFewSamples, problems, duplicates };
  throw new SepError(
    "too-few-questions",
    `No question in ${path} has 2 samples, but a single sample cannot disagree with itself; got ${questions.length} questions with one sample. ` +
      `${problems.length > 0 ? `${describeProblems(problems)}. ` : ""}Draw more samples per question.`,
  );
}
