import { logSumExp } from "../math/entropy.ts";
import { mean } from "../math/vector.ts";
import { requireSquare } from "./pair-matrix.ts";

/**
 * SentenceSAR: each sample's probability is raised by those of the samples that resemble it,
 * -mean_i ln(p_i + sum_{j != i} p_j g_ij / t), t = 0.001.
 * @param sumLogprobs [K] log-probability of each whole sample, nats
 * @param similarity  [K, K]; below 0 counts as 0
 * @returns nats; can be below 0, since the sum can exceed 1
 * @throws RangeError if K = 0 or the shapes differ
 * @see Duan et al. 2024, "Shifting attention to relevance", equation 9; `SentenceSAR` of lm-polygraph
 */
export function sentenceSar(
  sumLogprobs: readonly number[],
  similarity: readonly (readonly number[])[],
): number {
  requireSquare(similarity);
  if (sumLogprobs.length !== similarity.length)
    throw new RangeError(`${sumLogprobs.length} log-probabilities for ${similarity.length} samples`);
  const raised = sumLogprobs.map((own, i) =>
    logSumExp(
      sumLogprobs.map((other, j) =>
        i === j ? own : other + Math.log(Math.max(0, similarity[i]![j]!) / TEMPERATURE),
      ),
    ),
  );
  return 0 - mean(raised);
}

/** The authors' t. */
const TEMPERATURE = 0.001;
