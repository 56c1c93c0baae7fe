import { cosine, type TextEmbedder } from "./cosine-equivalence.ts";
import type { Entailer, EntailmentProbs } from "./entailer.ts";
import { allPairs, type ComparedPair } from "./equivalence.ts";
import { statementOf } from "./nli-equivalence.ts";

/** What models found in one question's answers, for uncertainty measures that read more than the clusters. */
export interface PairEvidence {
  /** [N] the different answers. */
  readonly texts: readonly string[];
  /** [N][N] of row entailing column, 1 on the diagonal; null if a pair has none. */
  readonly entailment: readonly (readonly EntailmentProbs[])[] | null;
  /** [N][N] cosine similarity, 1 on the diagonal; null if a pair has none. */
  readonly similarity: readonly (readonly number[])[] | null;
}

/** A question with the verdicts on its pairs of answers; `ClusteredAnswers` with its question is one. */
export interface ComparedQuestion {
  readonly question: string;
  readonly texts: readonly string[];
  readonly pairs: readonly ComparedPair[];
}

export interface PairEvidenceModels {
  /** Classifies the pairs without an `nli` verdict, such as numbers. */
  readonly entailer?: Entailer | undefined;
  readonly embedder?: TextEmbedder | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The evidence behind the verdicts on many questions' answers, as full matrices. What the verdicts lack is computed in
 * one batch where a model is given; an incomplete matrix is null.
 * @returns one per question, in order
 */
export async function gatherPairEvidence(
  questions: readonly ComparedQuestion[],
  { entailer, embedder, signal }: PairEvidenceModels = {},
): Promise<readonly PairEvidence[]> {
  const known = questions.map((question) => readVerdicts(question));
  const ordered = questions.map(({ texts }) =>
    allPairs(texts.length).flatMap(([i, j]) => [
      [i, j],
      [j, i],
    ]),
  );
  if (entailer !== undefined) {
    const missing = ordered.flatMap((pairs, q) =>
      pairs.filter(([i, j]) => known[q]!.entailment[i!]![j!] === undefined).map(([i, j]) => [q, i, j]),
    ) as [number, number, number][];
    const statements = missing.map(([q, i, j]) => {
      const { question, texts } = questions[q]!;
      return [statementOf(question, texts[i]!), statementOf(question, texts[j]!)] as const;
    });
    const verdicts = statements.length === 0 ? [] : await entailer.classify(statements, { signal });
    for (const [at, [q, i, j]] of missing.entries()) known[q]!.entailment[i]![j] = verdicts[at]!;
  }
  if (embedder !== undefined) {
    const texts = [...new Set(questions.flatMap((question) => question.texts))];
    const embeddings = texts.length === 0 ? [] : await embedder.embed(texts, { signal });
    const vectorOf = new Map(texts.map((text, i) => [text, embeddings[i]!.vector]));
    for (const [q, question] of questions.entries())
      for (const [i, j] of ordered[q] as [number, number][])
        known[q]!.similarity[i]![j] = cosine(
          vectorOf.get(question.texts[i]!)!,
          vectorOf.get(question.texts[j]!)!,
        );
  }
  return questions.map(({ texts }, q) => ({
    texts,
    entailment: whole(known[q]!.entailment),
    similarity: whole(known[q]!.similarity),
  }));
}

type Sparse<T> = (T | undefined)[][];

/** What an NLI model would say of a text and itself. */
export const SURE_ENTAILMENT: EntailmentProbs = { entailment: 1, neutral: 0, contradiction: 0 };

function readVerdicts({ texts, pairs }: ComparedQuestion): {
  readonly entailment: Sparse<EntailmentProbs>;
  readonly similarity: Sparse<number>;
} {
  const square = <T>(diagonal: T): Sparse<T> =>
    texts.map((_, i) => texts.map((_text, j) => (i === j ? diagonal : undefined)));
  const [entailment, similarity] = [square(SURE_ENTAILMENT), square(1)];
  for (const { pair, ...verdict } of pairs) {
    const [i, j] = pair;
    if (verdict.rule === "nli") {
      entailment[i]![j] = verdict.forward;
      entailment[j]![i] = verdict.backward;
    }
    if (verdict.rule === "cosine") similarity[i]![j] = similarity[j]![i] = verdict.similarity;
  }
  return { entailment, similarity };
}

const whole = <T>(matrix: Sparse<T>): readonly (readonly T[])[] | null =>
  matrix.some((row) => row.includes(undefined)) ? null : (matrix as T[][]);
