import {
  type AnswerClusters,
  type ClusteredAnswers,
  type Clustering,
  clusterQuestions,
  distinctTexts,
} from "../../meaning/cluster-answers.ts";
import type { Equivalence } from "../../meaning/equivalence.ts";
import {
  gatherPairEvidence,
  type PairEvidence,
  type PairEvidenceModels,
} from "../../meaning/pair-evidence.ts";
import type { ExtractedSamples } from "../../samples/samples.ts";
import type { EditedClusters } from "../meaning/edited-clusters.ts";

/** Where a question's clusters come from: a relation and a way to cluster, or a file of clusters. */
export type Clusterer =
  | {
      readonly kind: "relation";
      readonly equivalence: Equivalence;
      readonly clustering: Clustering;
      readonly questionOf: QuestionOf;
    }
  | { readonly kind: "edited"; readonly clusters: EditedClusters; readonly questionOf: QuestionOf };

/** The text of the question that samples answer. */
export type QuestionOf = (samples: Pick<ExtractedSamples, "id" | "question">) => string;

/** One question's samples, clustered. */
export interface ClusteredRuns {
  readonly samples: ExtractedSamples;
  readonly clusters: ClusteredAnswers;
  /** The models' evidence on the answers; matrices that the verdicts do not fill exist only with `evidence`. */
  readonly evidence: PairEvidence;
}

interface ClusterRunsOptions {
  /** Models for the parts of the evidence that the verdicts do not hold. */
  readonly evidence?: Omit<PairEvidenceModels, "signal"> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Clusters the samples of many questions. Pairs of several questions are compared in one batch.
 */
export async function* clusterRuns(
  questions: readonly ExtractedSamples[],
  clusterer: Clusterer,
  { evidence: models, signal }: ClusterRunsOptions = {},
): AsyncGenerator<ClusteredRuns, void> {
  const asked = clusterer.kind === "relation" ? clusterer.equivalence.batchPairs : undefined;
  const size = asked ?? PAIRS_PER_WINDOW;
  for (const window of windowsOf(questions, size)) {
    signal?.throwIfAborted();
    const clusters = await clusterWindow(window, clusterer, signal);
    const compared = clusters.map((each, i) => ({
      ...each,
      question: clusterer.questionOf(window[i]!),
    }));
    const evidence = await gatherPairEvidence(compared, { ...models, signal });
    for (const [i, samples] of window.entries())
      yield { samples, clusters: clusters[i]!, evidence: evidence[i]! };
  }
}

async function clusterWindow(
  window: readonly ExtractedSamples[],
  clusterer: Clusterer,
  signal: AbortSignal | undefined,
): Promise<readonly ClusteredAnswers[]> {
  if (clusterer.kind === "edited") return window.map((each) => takeEdited(clusterer.clusters, each));
  const { equivalence, clustering, questionOf } = clusterer;
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

function takeEdited(edited: EditedClusters, { id, extracted }: ExtractedSamples): ClusteredAnswers {
  const clusterIds = edited.clusterIds(id);
  const clusters: AnswerClusters = {
    clusterIds,
    clusterCount: new Set(clusterIds).size,
    nonTransitiveShare: null,
  };
  return { ...clusters, texts: distinctTexts(extracted), pairs: [], orderSensitivity: null };
}
