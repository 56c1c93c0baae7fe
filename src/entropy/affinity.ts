import { type AffinityMatrix, type EntailmentMatrix, mapPairs } from "./pair-matrix.ts";

/**
 * Affinity by entailment: the mean of p(entailment) in both directions.
 * @see Lin et al. 2024, section 4.1, "agreement"
 */
export function entailmentAffinity(entailment: EntailmentMatrix): AffinityMatrix {
  return mapPairs(
    entailment.length,
    (i, j) => (entailment[i]![j]!.entailment + entailment[j]![i]!.entailment) / 2,
  );
}

/**
 * Affinity by lack of contradiction: 1 minus the mean of p(contradiction) in both directions.
 * @see Lin et al. 2024, section 4.1, "disagreement"
 */
export function nonContradictionAffinity(entailment: EntailmentMatrix): AffinityMatrix {
  return mapPairs(
    entailment.length,
    (i, j) => 1 - (entailment[i]![j]!.contradiction + entailment[j]![i]!.contradiction) / 2,
  );
}

/**
 * Affinity by words: shared words over all words of the two, lower-case, split at white space. Samples without an
 * answer are alike and unlike any text.
 * @see Lin et al. 2024, section 4.1, "Jaccard"
 */
export function jaccardAffinity(answers: readonly (string | null)[]): AffinityMatrix {
  const words = answers.map((answer) =>
    answer === null ? null : new Set(answer.toLowerCase().split(/\s+/).filter(Boolean)),
  );
  return mapPairs(answers.length, (i, j) => {
    const [a, b] = [words[i]!, words[j]!];
    if (i === j || a === null || b === null) return Number(a === b);
    const shared = [...a].filter((word) => b.has(word)).length;
    const all = a.size + b.size - shared;
    return all === 0 ? 0 : shared / all;
  });
}

/** Affinity by embeddings: cosine similarity, of which nothing below 0 is kept, since a graph has no negative edges. */
export function cosineAffinity(similarity: readonly (readonly number[])[]): AffinityMatrix {
  return mapPairs(similarity.length, (i, j) => Math.max(0, (similarity[i]![j]! + similarity[j]![i]!) / 2));
}
