import { createRunsReader } from "../../samples/read-runs.ts";
import { answerOf, type Samples } from "../../samples/samples.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { requireInput, type StepDefinition } from "../decide-step.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { openClusterer, readQuestionTexts } from "../meaning/open-clusterer.ts";
import { checkMeaningChoice, type MeaningChoice } from "../meaning/open-equivalence.ts";
import { runStep, type StepControl, type StepEvent, type StepResult } from "../step.ts";
import { findBestAnswers } from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";
import type { QuestionOf } from "./cluster-runs.ts";
import { describeEstimates, type EstimateOptions, needs } from "./estimate-options.ts";
import type { MeasurableSamples } from "./estimate-questions.ts";
import { loadSamples } from "./load-samples.ts";
import { measureQuestions, readsQuestions } from "./measure-questions.ts";
import { findAnswerStates, readAnswerStates } from "./read-answer-states.ts";

export interface ComputeEntropyOptions extends MeaningChoice, EstimateOptions, StepControl {
  /** A clusters file, such as an edited copy of this step's output, in place of a relation. */
  readonly clustersFile?: string | undefined;
  /** Where NLI models and embedders come from; the hub and its cache when not given. */
  readonly models?: MeaningModels | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Step 3: clusters each question's samples by meaning and writes every entropy to
 * `data/{set}_semantic_entropy.jsonl`, in the order in which the questions first appear among the runs; a
 * question's samples are taken by run id, so that the order of lines does not matter. The verdicts behind the groups
 * are in `data/{set}_pair_verdicts.jsonl`.
 * @throws SepError `too-few-questions` if no question has two samples, those of `openClusterer`, and as `runStep`
 */
export async function* computeEntropy(
  workspace: Workspace,
  set: DataSetName,
  { models = createMeaningModels(), force, plan, signal, ...choice }: ComputeEntropyOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  checkMeaningChoice(choice);
  const estimates = describeEstimates(choice);
  const path = workspace.runs(set);
  const bestPath = await findBestAnswers(workspace, set);
  await requireInput(path, "entropy");
  const readRuns = createRunsReader();
  const samples = await loadSamples(path, workspace.shard, readRuns);
  await using clusterer = yield* openClusterer(samples, { ...choice, models, signal });
  const states = needs(choice, "hidden_states") ? await findAnswerStates(workspace, set) : [];
  const readsRaw = readsQuestions(choice, choice, clusterer) && samples.questions.some(lacksQuestion);
  const definition: StepDefinition = {
    step: "entropy",
    part: set,
    inputs: [
      path,
      ...(bestPath === null ? [] : [bestPath]),
      ...(readsRaw ? [workspace.raw(set)] : []),
      ...states,
    ],
    outputs: [workspace.semanticEntropy(set), workspace.pairVerdicts(set)],
    settings: { ...clusterer.settings, ...estimates },
    whenStale: "redo",
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* () {
    const loaded = await loadSamples(path, workspace.shard, readRuns);
    const rawOf: QuestionOf | null = readsRaw
      ? await readQuestionTexts(workspace.raw(set), loaded.questions.filter(lacksQuestion))
      : null;
    const statesOf = states.length === 0 ? null : await readAnswerStates(workspace, set);
    const best = bestPath === null ? [] : (await readRuns(bestPath)).runs;
    const bestOf = new Map(best.map((run) => [run.question_id, answerOf(run)]));
    const questions: MeasurableSamples[] = [];
    for (const own of loaded.questions) {
      questions.push({
        ...own,
        question: rawOf !== null && lacksQuestion(own) ? rawOf(own) : own.question,
        best: bestOf.get(own.id) ?? null,
        hiddenStates: (await statesOf?.(own.id, own.runIds)) ?? null,
        entailment: null,
      });
    }
    return yield* measureQuestions(
      { ...loaded, questions },
      {
        ...choice,
        part: set,
        clusterer,
        choice,
        models,
        signal,
        async write(records, verdicts) {
          await writeJsonl(workspace.pairVerdicts(set), verdicts);
          await writeJsonl(workspace.semanticEntropy(set), records);
        },
      },
    );
  });
}

/** Runs of version 0.1 do not record the question; their prompt contains it among other text, and is no substitute. */
const lacksQuestion = ({ question }: Samples): boolean => question === null;
