import { discreteSemanticEntropy } from "../../entropy/discrete-semantic-entropy.ts";
import { SepError } from "../../errors.ts";
import type { JudgedPair } from "../../meaning/compare-pairs.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { fileExists } from "../../store/file-exists.ts";
import { requireCurrent } from "../chain.ts";
import type { MeaningChoice } from "../meaning/meaning-choice.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { openGrouping, readQuestionTexts } from "../meaning/open-grouping.ts";
import type { StepEvent } from "../step.ts";
import type { DataSetName, Workspace } from "../workspace.ts";
import { clusterRuns, type QuestionOf } from "./cluster-runs.ts";
import { loadSamples } from "./load-samples.ts";
import { readStoredClusters } from "./read-stored-clusters.ts";

/** One way in which a question's answers are grouped, and the verdicts behind it. */
export interface ClusterView {
  /** What `sep entropy` has written, or computed anew to compare with it. */
  readonly source: "stored" | "computed";
  /** Name of the relation, or "edited". */
  readonly equivalence: string;
  readonly clustering: string | null;
  /** [K] */
  readonly runIds: readonly number[];
  /** [K] */
  readonly answers: readonly (string | null)[];
  /** [K] from 0 */
  readonly clusterIds: readonly number[];
  /** [N] the different answers. */
  readonly texts: readonly string[];
  readonly pairs: readonly JudgedPair[];
  readonly nonTransitiveShare: number | null;
  /** Nats. */
  readonly discreteSemanticEntropy: number;
}

export interface InspectedQuestion {
  readonly set: DataSetName;
  readonly questionId: string;
  /** null where the questions' file is not there. */
  readonly question: string | null;
  readonly views: readonly ClusterView[];
}

export interface InspectClustersOptions extends MeaningChoice {
  readonly models?: MeaningModels | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How the answers to one question are grouped: as step 3 stored it, and, where an equivalence is given, as that one
 * groups them now.
 * @returns null if no run of the set answers the question
 * @throws SepError `missing-input` if there is neither a stored grouping nor an equivalence; those of `openGrouping`
 */
export async function* inspectClusters(
  workspace: Workspace,
  set: DataSetName,
  questionId: string,
  { models = createMeaningModels(), signal, ...choice }: InspectClustersOptions = {},
): AsyncGenerator<StepEvent, InspectedQuestion | null> {
  await requireCurrent([workspace.semanticEntropy(set), workspace.pairVerdicts(set)], "clusters");
  const stored = await readStoredClusters(workspace, set, questionId);
  const computed =
    choice.equivalence === undefined
      ? null
      : yield* computeView(workspace, set, questionId, choice, models, signal);
  const views = [stored, computed].filter((view) => view !== null);
  if (views.length === 0) {
    if (choice.equivalence !== undefined || (await fileExists(workspace.pairVerdicts(set)))) return null;
    throw new SepError(
      "missing-input",
      `There is no ${workspace.pairVerdicts(set)}. Run \`sep entropy\` to group the answers, or give --equivalence to group this question's now.`,
    );
  }
  return { set, questionId, question: await readQuestion(workspace.raw(set), questionId), views };
}

async function* computeView(
  workspace: Workspace,
  set: DataSetName,
  questionId: string,
  choice: MeaningChoice,
  models: MeaningModels,
  signal: AbortSignal | undefined,
): AsyncGenerator<StepEvent, ClusterView | null> {
  const loaded = await loadSamples(workspace.runs(set));
  const own = loaded.questions.filter(([first]) => first!.question_id === questionId);
  if (own.length === 0) return null;
  await using grouping = yield* openGrouping({ ...loaded, questions: own }, { ...choice, models, signal });
  const questionOf = grouping.readsQuestions ? await readWords(workspace.raw(set), own.flat()) : () => "";
  for await (const { samples, answers, clusters } of clusterRuns(own, grouping.create(questionOf), {
    signal,
  }))
    return {
      source: "computed",
      equivalence: grouping.name,
      clustering: grouping.clustering,
      runIds: samples.map((run) => run.run_id),
      answers,
      clusterIds: clusters.clusterIds,
      texts: clusters.texts,
      pairs: clusters.pairs,
      nonTransitiveShare: clusters.nonTransitiveShare,
      discreteSemanticEntropy: discreteSemanticEntropy(clusters.clusterIds),
    };
  return null;
}

/** Runs of version 0.1 do not say what was asked. */
async function readWords(path: string, [first, ...others]: readonly RunRecord[]): Promise<QuestionOf> {
  const { question } = first!;
  return question === undefined ? readQuestionTexts(path, [first!, ...others]) : () => question;
}

async function readQuestion(path: string, questionId: string): Promise<string | null> {
  if (!(await fileExists(path))) return null;
  const { questions } = await loadQuestions(path);
  return questions.find(({ id }) => id === questionId)?.question ?? null;
}
