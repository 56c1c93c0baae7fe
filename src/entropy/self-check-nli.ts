import { mean } from "../math/vector.ts";
import type { EntailmentProbs } from "../meaning/entailer.ts";
import { supportShare } from "./luq.ts";

/**
 * SelfCheck-NLI: how strongly the samples contradict an answer, sentence by sentence: the mean over samples of
 * p(contradiction) against p(entailment), neutral left out, then the mean over the answer's sentences.
 * @param verdicts [S][N] of each sentence (premise) and each sample (hypothesis), in the order of the published code
 * @returns in [0, 1]
 * @throws RangeError if S = 0 or N = 0
 * @see Manakul et al. 2023, "SelfCheckGPT", section 5.4; `SelfCheckNLI` of selfcheckgpt
 */
export function selfCheckNli(verdicts: readonly (readonly EntailmentProbs[])[]): number {
  if (verdicts.length === 0) throw new RangeError("no sentences");
  const scores = verdicts.map((samples) => {
    if (samples.length === 0) throw new RangeError("no samples");
    return samples.reduce((sum, probs) => sum + 1 - supportShare(probs), 0) / samples.length;
  });
  return mean(scores);
}
