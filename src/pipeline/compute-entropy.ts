import { describeSemanticEntropy, type SemanticEntropyRecord } from "../entropy/semantic-entropy-record.ts";
import { describeClustering, describePairVerdicts } from "../meaning/cluster-record.ts";
import { writeJsonl } from "../store/jsonl.ts";
import { type ClusteredRuns, clusterRuns } from "./cluster-runs.ts";
import { findEntropyWarnings } from "./entropy-warnings.ts";
import { loadSamples } from "./load-samples.ts";
import { checkMeaningChoice, type MeaningChoice } from "./meaning-choice.ts";
import { createMeaningModels, type MeaningModels } from "./meaning-models.ts";
import { countMeaning, findMeaningWarnings } from "./meaning-warnings.ts";
import { type OpenGrouping, openGrouping, readQuestionTexts } from "./open-grouping.ts";
import {
  requireInput,
  runStep,
  type StepDefinition,
  type StepEvent,
  type StepOutcome,
  type StepResult,
} from "./step.ts";
import type { DataSetName, Workspace } from "./workspace.ts";

export interface ComputeEntropyOptions extends MeaningChoice {
  /** A clusters file, such as an edited copy of this step's output, in place of a relation. */
  readonly clustersFile?: string | undefined;
  /** Where models of meaning come from; the hub and its cache when not given. */
  readonly models?: MeaningModels | undefined;
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Step 3: groups each question's samples by meaning and writes every entropy to
 * `data/{set}_semantic_entropy.jsonl`, in the order in which the questions first appear among the runs; a
 * question's samples are taken by run id, so that the order of lines does not matter. The verdicts behind the groups
 * are in `data/{set}_pair_verdicts.jsonl`.
 * @throws SepError `too-few-questions` if no question has two samples, those of `openGrouping`, and as `runStep`
 */
export async function* computeEntropy(
  workspace: Workspace,
  set: DataSetName,
  { models = createMeaningModels(), force = false, signal, ...choice }: ComputeEntropyOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  checkMeaningChoice(choice);
  await requireInput(workspace.runs(set), "entropy");
  const samples = await loadSamples(workspace.runs(set));
  await using grouping = yield* openGrouping(samples, { ...choice, models, signal });
  const definition: StepDefinition = {
    step: "entropy",
    part: set,
    inputs: [workspace.runs(set), ...(grouping.readsQuestions ? [workspace.raw(set)] : [])],
    outputs: [workspace.semanticEntropy(set), workspace.pairVerdicts(set)],
    settings: grouping.settings,
    whenStale: "redo",
  };
  return yield* runStep(workspace, definition, { force }, () => measure(workspace, set, grouping, signal));
}

async function* measure(
  workspace: Workspace,
  set: DataSetName,
  grouping: OpenGrouping,
  signal: AbortSignal | undefined,
): AsyncGenerator<StepEvent, StepOutcome> {
  const { runs, questions, problems, duplicates, tooFewSamples } = await loadSamples(workspace.runs(set));
  const questionOf = grouping.readsQuestions ? await readQuestionTexts(workspace.raw(set), runs) : () => ""; // not read

  const at = { step: "entropy", part: set } as const;
  const total = questions.length;
  yield { kind: "started", ...at, unit: "question", done: 0, total };
  const clustered: ClusteredRuns[] = [];
  for await (const each of clusterRuns(questions, grouping.create(questionOf), { signal })) {
    clustered.push(each);
    yield { kind: "advanced", ...at, done: clustered.length, total };
  }
  const records = clustered.map(({ samples, answers, clusters }) => ({
    ...describeSemanticEntropy(samples, answers, clusters, grouping),
    ...describeClustering(clusters, grouping.clustering),
  }));
  const warnings = [
    ...findEntropyWarnings(records, { problems, duplicates, tooFewSamples }),
    ...findMeaningWarnings(clustered),
  ];
  for (const warning of warnings) yield { kind: "warning", ...at, warning };

  const verdicts = clustered.map(({ samples, clusters }) =>
    describePairVerdicts(samples[0]!.question_id, clusters),
  );
  await writeJsonl(workspace.pairVerdicts(set), verdicts);
  await writeJsonl(workspace.semanticEntropy(set), records);
  const counts = {
    questions: total,
    runs: records.reduce((sum, record) => sum + record.run_ids.length, 0),
    no_answer: countUnanswered(records),
    ...countMeaning(clustered),
    bad_lines: problems.length,
    duplicate_runs: duplicates.length,
    questions_with_too_few_samples: tooFewSamples,
  };
  return { counts, warnings };
}

const countUnanswered = (records: readonly Pick<SemanticEntropyRecord, "answers">[]): number =>
  records.reduce((sum, { answers }) => sum + answers.filter((answer) => answer === null).length, 0);
