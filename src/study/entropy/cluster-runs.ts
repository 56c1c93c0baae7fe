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
import type { ExtractedSamples } from "../../samples/samples.ts";
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

/** The words of the question that samples answer. */
export type QuestionOf = (samples: Pick<ExtractedSamples, "id" | "question">) => string;

/** One question's samples, grouped. */
export interface ClusteredRuns {
  readonly samples: ExtractedSamples;
  readonly clusters: JudgedClusters;
  /** What models saw in the answers; matrices that the verdicts do not fill are there with `evidence` only. */
  readonly evidence: PairEvidence;
}

interface ClusterRunsOptions {
  /** Models for the parts of the evidence that the verdicts do not hold. */
  readonly evidence?: Omit<PairEvidenceModels, "signal"> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Groups the samples of many questions. Pairs of several questions are judged in one batch; what is yielded is judged.
 */
export async function* clusterRuns(
  questions: readonly ExtractedSamples[],
  grouping: Grouping,
  { evidence: models, signal }: ClusterRunsOptions = {},
): AsyncGenerator<ClusteredRuns, void> {
  const asked = grouping.kind === "relation" ? grouping.equivalence.batchPairs : undefined;
  const size = asked ?? PAIRS_PER_WINDOW;
  for (const window of windowsOf(questions, size)) {
    signal?.throwIfAborted();
    const clusters = await groupWindow(window, grouping, signal);
    const judged = clusters.map((each, i) => ({
      ...each,
      question: grouping.questionOf(window[i]!),
    }));
    const evidence = await gatherPairEvidence(judged, { ...models, signal });
    for (const [i, samples] of window.entries())
      yield { samples, clusters: clusters[i]!, evidence: evidence[i]! };
  }
}

async function groupWindow(
  window: readonly ExtractedSamples[],
  grouping: Grouping,
  signal: AbortSignal | undefined,
): Promise<readonly JudgedClusters[]> {
  if (grouping.kind === "edited") return window.map((each) => takeEdited(grouping.clusters, each));
  const { equivalence, clustering, questionOf } = grouping;
  // the answers that were graded, so that a sample's correctness and its cluster are about the same text
  const questions = window.map((samples) => ({ question: questionOf(samples), answers: samples.extracted }));
  return clusterQuestions(questions, equivalence, { clustering, signal });
}

/** Enough for a model to batch texts of one length, and few enough that a slow model shows progress. */
const PAIRS_PER_WINDOW = 256;

/** Questions in stretches that have about `size` pairs each, and at least one question. */
function* windowsOf(
  questions: readonly ExtractedSamples[],
  size: number,
): Generator<readonly ExtractedSamples[]> {
  let window: ExtractedSamples[] = [];
  let pairs = 0;
  for (const question of questions) {
    window.push(question);
    const n = distinctTexts(question.extracted).length;
    pairs += (n * (n - 1)) / 2;
    if (pairs < size) continue;
    yield window;
    window = [];
    pairs = 0;
  }
  if (window.length > 0) yield window;
}

function takeEdited(edited: EditedClusters, { id, extracted }: ExtractedSamples): JudgedClusters {
  const clusterIds = edited.clusterIds(id);
  const clusters: AnswerClusters = {
    clusterIds,
    clusterCount: new Set(clusterIds).size,
    nonTransitiveShare: null,
  };
  return { ...clusters, texts: distinctTexts(extracted), pairs: [], orderSensitivity: null };
}
