import { logSumExp } from "../math/entropy.ts";
import type { EntailmentProbs } from "../meaning/entailer.ts";

/**
 * Semantic density of one answer among others, with a minus sign: -sum p_i k(d_i) / sum p_i, where d_i is what the NLI
 * model expects of the distance between the answer (premise) and another one, contradiction 1 and neutral 1/2, and
 * k(d) = max(0, 1 - d).
 * @param meanLogprobs [N] log-probability of each other answer, mean over its tokens, nats
 * @param verdicts     [N] of the answer as premise and each other one as hypothesis
 * @returns in [-1, 0]
 * @throws RangeError if N = 0, the lengths differ, or every probability is 0
 * @see Qiu and Miikkulainen 2024, "Semantic density", equations 5 to 8; `SemanticDensity` of lm-polygraph and of uqlm
 */
export function semanticDensity(
  meanLogprobs: readonly number[],
  verdicts: readonly Pick<EntailmentProbs, "neutral" | "contradiction">[],
): number {
  if (meanLogprobs.length === 0) throw new RangeError("no answers");
  if (meanLogprobs.length !== verdicts.length)
    throw new RangeError(`${meanLogprobs.length} log-probabilities for ${verdicts.length} verdicts`);
  const total = logSumExp(meanLogprobs);
  if (total === -Infinity) throw new RangeError("every answer has probability 0");
  const density = verdicts.reduce(
    (sum, { contradiction, neutral }, i) =>
      sum + Math.exp(meanLogprobs[i]! - total) * Math.max(0, 1 - contradiction - neutral / 2),
    0,
  );
  return 0 - density;
}
