import { loadQuestions } from "../questions/load-questions.ts";
import { gatherQuestion } from "../sampling/gather-question.ts";
import { groupByQuestion } from "../sampling/group-by-question.ts";
import { readRuns } from "../sampling/read-runs.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import { chooseEquivalence, type EquivalenceName } from "./choose-equivalence.ts";
import { fileExists } from "./file-exists.ts";
import type { AnsweredQuestion } from "./group-questions.ts";
import { describeEstimates, type EstimateOptions, measureQuestions } from "./measure-questions.ts";
import { runStep, type StepEvent, type StepResult } from "./step.ts";
import type { DataSetName, Workspace } from "./workspace.ts";

export interface ComputeEntropyOptions extends EstimateOptions {
  /** See `chooseEquivalence`. */
  readonly equivalence?: EquivalenceName | "auto" | undefined;
  readonly force?: boolean | undefined;
}

/**
 * Step 3: groups each question's samples by meaning and writes every entropy to
 * `data/{set}_semantic_entropy.jsonl`, in the order in which the questions first appear among the runs; a
 * question's samples are taken by run id, so that the order of lines does not matter.
 * @throws SepError `too-few-questions` if no question has two samples, and as `runStep`
 */
export async function* computeEntropy(
  workspace: Workspace,
  set: DataSetName,
  { equivalence: asked = "auto", force = false, ...options }: ComputeEntropyOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const path = workspace.runs(set);
  const raw = workspace.raw(set);
  const { runs } = (await fileExists(path)) ? await readRuns(path) : { runs: [] }; // for the step itself to report
  const readsRaw = (await fileExists(raw)) && runs.some((run) => run.question === undefined);
  const equivalence = chooseEquivalence(
    asked,
    runs.map((run) => run.correctness),
  );
  const definition = {
    step: "entropy",
    part: set,
    inputs: [path, ...(readsRaw ? [raw] : [])],
    outputs: [workspace.semanticEntropy(set)],
    settings: { equivalence: equivalence.provenance, ...describeEstimates(options) },
    whenStale: "redo",
  } as const;
  return yield* runStep(workspace, definition, { force }, async function* () {
    const loaded = await readRuns(path);
    const questions = gatherQuestions(loaded.runs, readsRaw ? await readQuestionTexts(raw) : new Map());
    const output = workspace.semanticEntropy(set);
    return yield* measureQuestions({ ...loaded, path, questions }, equivalence, {
      ...options,
      part: set,
      output,
    });
  });
}

function gatherQuestions(runs: readonly RunRecord[], texts: ReadonlyMap<string, string>): AnsweredQuestion[] {
  return [...groupByQuestion(runs)].map(([id, samples]) =>
    gatherQuestion(
      samples.toSorted((a, b) => a.run_id - b.run_id),
      texts.get(id) ?? null,
    ),
  );
}

/** Runs of version 0.1 do not have their question by itself; the prompt has it among other words. */
async function readQuestionTexts(path: string): Promise<ReadonlyMap<string, string>> {
  const { questions } = await loadQuestions(path);
  return new Map(questions.map(({ id, question }) => [id, question]));
}
