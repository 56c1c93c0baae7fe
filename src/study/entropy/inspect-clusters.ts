import { discreteSemanticEntropy } from "../../entropy/semantic-entropy.ts";
import { SepError } from "../../errors.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { ExtractedSamples } from "../../samples/samples.ts";
import { fileExists } from "../../store/read-file.ts";
import { requireCurrent } from "../chain.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { openClusterer, readQuestionTexts } from "../meaning/open-clusterer.ts";
import type { MeaningChoice } from "../meaning/open-equivalence.ts";
import type { StepEvent } from "../step.ts";
import type { DataSetName, Workspace } from "../workspace.ts";
import { clusterRuns, type QuestionOf } from "./cluster-runs.ts";
import { loadSamples } from "./load-samples.ts";
import { type ClusterView, readStoredClusters } from "./read-semantic-entropy.ts";

export interface InspectedQuestion {
  readonly set: DataSetName;
  readonly questionId: string;
  /** null if the questions' file is not there. */
  readonly question: string | null;
  readonly views: readonly ClusterView[];
}

interface InspectClustersOptions extends MeaningChoice {
  readonly models?: MeaningModels | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The clusters of one question's answers: as step 3 stored them, and, if an equivalence is given, as it
 * clusters them now.
 * @returns null if no run of the set answers the question
 * @throws SepError `missing-input` if there is neither stored clusters nor an equivalence; those of `openClusterer`
 */
export async function* inspectClusters(
  workspace: Workspace,
  set: DataSetName,
  questionId: string,
  options: InspectClustersOptions = {},
): AsyncGenerator<StepEvent, InspectedQuestion | null> {
  await requireCurrent([workspace.semanticEntropy(set), workspace.pairVerdicts(set)], "clusters");
  const stored = await readStoredClusters(workspace, set, questionId);
  const computed =
    options.equivalence === undefined ? null : yield* computeView(workspace, set, questionId, options);
  const views = [stored, computed].filter((view) => view !== null);
  if (views.length === 0) {
    if (options.equivalence !== undefined || (await fileExists(workspace.pairVerdicts(set)))) return null;
    throw new SepError(
      "missing-input",
      `There is no ${workspace.pairVerdicts(set)}. Run \`sep entropy\` to cluster the answers, or give --equivalence to cluster those to this question now.`,
    );
  }
  return { set, questionId, question: await readQuestion(workspace.raw(set), questionId), views };
}

async function* computeView(
  workspace: Workspace,
  set: DataSetName,
  questionId: string,
  { models = createMeaningModels(), signal, ...choice }: InspectClustersOptions,
): AsyncGenerator<StepEvent, ClusterView | null> {
  const loaded = await loadSamples(workspace.runs(set));
  const own = loaded.questions.filter(({ id }) => id === questionId);
  if (own.length === 0) return null;
  await using clusterer = yield* openClusterer({ ...loaded, questions: own }, { ...choice, models, signal });
  const questionOf = clusterer.readsQuestions ? await readWords(workspace.raw(set), own) : () => "";
  for await (const { samples, clusters } of clusterRuns(own, clusterer.create(questionOf), { signal }))
    return {
      source: "computed",
      equivalence: clusterer.name,
      clustering: clusterer.clustering,
      runIds: samples.runIds,
      answers: samples.extracted,
      clusterIds: clusters.clusterIds,
      texts: clusters.texts,
      pairs: clusters.pairs,
      nonTransitiveShare: clusters.nonTransitiveShare,
      discreteSemanticEntropy: discreteSemanticEntropy(clusters.clusterIds),
    };
  return null;
}

/** Runs of version 0.1 do not record the question. */
async function readWords(path: string, own: readonly ExtractedSamples[]): Promise<QuestionOf> {
  const { question } = own[0]!;
  return question === null ? readQuestionTexts(path, own) : () => question;
}

async function readQuestion(path: string, questionId: string): Promise<string | null> {
  if (!(await fileExists(path))) return null;
  const { questions } = await loadQuestions(path);
  return questions.find(({ id }) => id === questionId)?.question ?? null;
}
