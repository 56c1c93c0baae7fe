import type { EntailmentProbs } from "../meaning/entailer.ts";
import { type PairEvidence, SURE_ENTAILMENT } from "../meaning/pair-evidence.ts";
import type { Samples } from "../samples/samples.ts";

/** What is known about one question's samples beside what was sampled. null: not known. */
export interface SampleEvidence {
  /** [K] what was compared; null if a sample has no answer. */
  readonly answers: readonly (string | null)[];
  /** [K] cluster of each sample, from 0. */
  readonly clusterIds: readonly number[];
  /** [K][K] with sample i as the premise. */
  readonly entailment: EntailmentMatrix | null;
  /** [K][D] one hidden state per answer. */
  readonly hiddenStates: readonly ArrayLike<number>[] | null;
  /** [K, K] in [-1, 1]. */
  readonly similarity: AffinityMatrix | null;
  /** [S][N] each sentence of the answer that is checked (premise), each other sample (hypothesis). */
  readonly sentenceVerdicts: readonly (readonly EntailmentProbs[])[] | null;
  /** ln of the probability that the model gives to its answer being true. */
  readonly logPTrue: number | null;
}

/** All that the estimates can draw on. */
export type QuestionSamples = Samples & SampleEvidence;

/**
 * Evidence on distinct answers, spread over the samples that gave them. Samples without an answer mean the
 * same as each other, and contradict every text.
 * @param answers [K] each null or one of `texts`
 * @throws RangeError if an answer is not among them
 */
export function spreadEvidence(
  answers: readonly (string | null)[],
  { texts, entailment, similarity }: PairEvidence,
): Pick<SampleEvidence, "entailment" | "similarity"> {
  const placeOf = new Map(texts.map((text, place) => [text, place]));
  const places = answers.map((answer) => {
    if (answer === null) return null;
    const place = placeOf.get(answer);
    if (place === undefined) throw new RangeError(`no evidence on the answer ${JSON.stringify(answer)}`);
    return place;
  });
  const spread = <T>(matrix: readonly (readonly T[])[] | null, same: T, different: T): T[][] | null =>
    matrix &&
    places.map((i) =>
      places.map((j) => (i === null || j === null ? (i === j ? same : different) : matrix[i]![j]!)),
    );
  return {
    entailment: spread(entailment, SURE_ENTAILMENT, SURE_CONTRADICTION),
    similarity: spread(similarity, 1, 0),
  };
}

const SURE_CONTRADICTION: EntailmentProbs = { entailment: 0, neutral: 0, contradiction: 1 };

/** [K][K] of each ordered pair of samples: [i][j] with sample i as the premise and j as the hypothesis. */
export type EntailmentMatrix = readonly (readonly EntailmentProbs[])[];

/** [K, K] symmetric; 1 for samples that say the same, 0 for those that have nothing in common. */
export type AffinityMatrix = readonly (readonly number[])[];

/** A matrix of f over all ordered pairs of `count` items. */
export function mapPairs<T>(count: number, f: (i: number, j: number) => T): T[][] {
  return Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => f(i, j)));
}

/** @throws RangeError if the matrix is empty or not square */
export function requireSquare(matrix: readonly (readonly unknown[])[]): void {
  if (matrix.length === 0) throw new RangeError("no samples");
  for (const row of matrix)
    if (row.length !== matrix.length) throw new RangeError(`a row of ${row.length} in ${matrix.length} rows`);
}
