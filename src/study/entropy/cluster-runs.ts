import {
  type AnswerClusters,
  type Clustering,
  clusterQuestions,
  distinctTexts,
  type JudgedClusters,
} from "../../meaning/cluster-answers.ts";
import type { Equivalence } from "../../meaning/equivalence.ts";
import {
  gatherPairEvidence,
  type PairEvidence,
  type PairEvidenceModels,
} from "../../meaning/pair-evidence.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import type { EditedClusters } from "../meaning/edited-clusters.ts";

/** What groups a question's answers: a relation and a way to group, or somebody who has done it already. */
export type Grouping =
  | {
      readonly kind: "relation";
      readonly equivalence: Equivalence;
      readonly clustering: Clustering;
      readonly questionOf: QuestionOf;
    }
  | { readonly kind: "edited"; readonly clusters: EditedClusters; readonly questionOf: QuestionOf };

/** What grouping knows of a sample, whoever drew it. */
export type AnswerSample = Pick<RunRecord, "question_id" | "run_id" | "extracted_answer">;

/** The words of the question that a sample answers. */
export type QuestionOf = (sample: AnswerSample) => string;

/** One question's samples, grouped. */
export interface ClusteredRuns {
  /** [K] */
  readonly samples: readonly AnswerSample[];
  /** [K] the texts that were compared; null where a sample has no answer. */
  readonly answers: readonly (string | null)[];
  readonly clusters: JudgedClusters;
  /** What models saw in the answers; matrices that the verdicts do not fill are there with `evidence` only. */
  readonly evidence: PairEvidence;
}

export interface ClusterRunsOptions {
  /** Models for the parts of the evidence that the verdicts do not hold. */
  readonly evidence?: Omit<PairEvidenceModels, "signal"> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Groups the samples of many questions. Pairs of several questions are judged in one batch; what is yielded is judged.
 * @param questions each one's samples by run id
 */
export async function* clusterRuns(
  questions: readonly (readonly AnswerSample[])[],
  grouping: Grouping,
  { evidence: models, signal }: ClusterRunsOptions = {},
): AsyncGenerator<ClusteredRuns, void> {
  const all = questions.map((samples) => ({
    samples,
    // the answers that were judged, so that a sample's correctness and its cluster are about the same text
    answers: samples.map((run) => run.extracted_answer),
  }));
  const asked = grouping.kind === "relation" ? grouping.equivalence.batchPairs : undefined;
  const size = asked ?? PAIRS_PER_WINDOW;
  for (const window of windowsOf(all, size)) {
    signal?.throwIfAborted();
    const clusters = await groupWindow(window, grouping, signal);
    const judged = clusters.map((each, i) => ({
      ...each,
      question: grouping.questionOf(window[i]!.samples[0]!),
    }));
    const evidence = await gatherPairEvidence(judged, { ...models, signal });
    for (const [i, each] of window.entries())
      yield { ...each, clusters: clusters[i]!, evidence: evidence[i]! };
  }
}

type Answered = Pick<ClusteredRuns, "samples" | "answers">;

async function groupWindow(
  window: readonly Answered[],
  grouping: Grouping,
  signal: AbortSignal | undefined,
): Promise<readonly JudgedClusters[]> {
  if (grouping.kind === "edited") return window.map((each) => takeEdited(grouping.clusters, each));
  const { equivalence, clustering, questionOf } = grouping;
  const questions = window.map(({ samples, answers }) => ({ question: questionOf(samples[0]!), answers }));
  return clusterQuestions(questions, equivalence, { clustering, signal });
}

/** Enough for a model to batch texts of one length; with few a slow model goes long without a sign of life. */
const PAIRS_PER_WINDOW = 256;

/** Questions in stretches that have about `size` pairs each, and at least one question. */
function* windowsOf(questions: readonly Answered[], size: number): Generator<readonly Answered[]> {
  let window: Answered[] = [];
  let pairs = 0;
  for (const question of questions) {
    window.push(question);
    const n = distinctTexts(question.answers).length;
    pairs += (n * (n - 1)) / 2;
    if (pairs < size) continue;
    yield window;
    window = [];
    pairs = 0;
  }
  if (window.length > 0) yield window;
}

function takeEdited(edited: EditedClusters, { samples, answers }: Answered): JudgedClusters {
  const clusterIds = edited.clusterIds(samples[0]!.question_id);
  const clusters: AnswerClusters = {
    clusterIds,
    clusterCount: new Set(clusterIds).size,
    nonTransitiveShare: null,
  };
  return { ...clusters, texts: distinctTexts(answers), pairs: [], orderSensitivity: null };
}
