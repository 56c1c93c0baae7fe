import { modeOf } from "../../engine/observation.ts";
import { createRunsReader } from "../../samples/read-runs.ts";
import { answerOf, type Samples } from "../../samples/samples.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { readStateRowIndex } from "../../states/state-index.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { fileExists } from "../../store/read-file.ts";
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

/** Where the traced states of a set are: both files that `readAnswerStates` reads. */
async function findAnswerStates(workspace: Workspace, set: DataSetName): Promise<readonly string[]> {
  const paths = [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)];
  const there = await Promise.all(paths.map(fileExists));
  return there.every(Boolean) ? paths : [];
}

/**
 * One hidden state an answer, for EigenScore: of the last token before the end token, at the traced layer nearest to
 * the middle of the model.
 * @returns by question and runs; null for a question of which an answer was not traced there
 * @throws SepError `bad-artifact`
 */
async function readAnswerStates(
  workspace: Workspace,
  set: DataSetName,
): Promise<(questionId: string, runIds: readonly number[]) => Promise<readonly Float32Array[] | null>> {
  const states = await openHiddenStates(workspace.hiddenStates(set));
  const index = await readStateRowIndex(workspace.hiddenStatesIndex(set));
  const middle = states.layers.at(-1)! / 2;
  const layer = states.layers.reduce((best, each) =>
    Math.abs(each - middle) < Math.abs(best - middle) ? each : best,
  );
  return async (questionId, runIds) => {
    // rows of best answers have the run ids of samples; an observer's states are not those that the answers came from
    const isOwn = states.metadata.answers !== "best" && modeOf(states.metadata) === "generator";
    if (!states.positions.includes(POSITION) || !isOwn) return null;
    const rows = runIds.map((runId) => index.rowOf(POSITION, questionId, runId));
    if (rows.includes(-1)) return null;
    const flat = await states.read(POSITION, layer, rows);
    return rows.map((_, i) => flat.subarray(i * states.width, (i + 1) * states.width));
  };
}

/** As INSIDE has it: where the answer has been said and its end not yet. */
const POSITION = "second-to-last";
